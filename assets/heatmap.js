// What a page adds to the static heatmaps: linked hovering, arrow keys, and rows painted onto the running text.
// Runs once in each heatmap component; `element`, `watch` come from Gradio. Listeners sit on the component, so they
// outlive every redraw. Nothing here builds HTML from text.

const all = (selector, root = element) => [...root.querySelectorAll(selector)];

const heat = (target, on) => {
  const cell = target?.closest?.('[data-i]');
  if (!cell) return;
  const apart = cell.closest('[data-apart]');         // a table whose columns are not the words
  all(`[data-i="${cell.dataset.i}"]`, apart || element).forEach(one => one.closest('[data-apart]') === apart && one.classList.toggle('hot', on));
};
element.addEventListener('mouseover', event => heat(event.target, true));
element.addEventListener('mouseout', event => heat(event.target, false));
element.addEventListener('focusin', event => heat(event.target, true));
element.addEventListener('focusout', event => heat(event.target, false));

// One tab stop a table or text; arrow keys go on from there.
const groups = () => all('table.xp-map, .xp-prose');
const rove = () => groups().forEach(group => all('[data-i]', group).forEach((cell, k) => { cell.tabIndex = k ? -1 : 0; }));
element.addEventListener('keydown', event => {
  const here = event.target.closest('[data-i]');
  if (!here) return;
  const group = here.closest('table.xp-map, .xp-prose');
  const row = here.closest('tr');
  const beside = all('[data-i]', row || group);
  const at = beside.indexOf(here);
  let next;
  if (event.key === 'ArrowRight') next = beside[at + 1];
  else if (event.key === 'ArrowLeft') next = beside[at - 1];
  else if (event.key === 'Home') next = beside[0];
  else if (event.key === 'End') next = beside.at(-1);
  else if (row && (event.key === 'ArrowDown' || event.key === 'ArrowUp')) {
    const rows = all('tbody tr', group).filter(other => other.querySelector('[data-i]'));
    next = rows[rows.indexOf(row) + (event.key === 'ArrowDown' ? 1 : -1)]?.querySelectorAll('[data-i]')[at];
  }
  if (!next) return;
  event.preventDefault();
  here.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
});

// What was chosen stays chosen while the same text is drawn again: the method that is read as text, the row of the panel.
// Kept on the window, since a tab that is left takes this script with it.
const place = element.closest('#compared, #panel')?.id;
const shelf = window.explainersKept ??= {};
let kept = shelf[place] ??= {};
const remember = () => {
  const text = all('[data-i]:not(.xp-special)', element.querySelector('.xp-prose') || element).map(word => word.textContent).join('');
  if (text && text !== kept.text) kept = shelf[place] = {text};     // no text: a redraw on its way
};

// Paint a row of the table onto the running text above it: same words, same colours, same numbers.
const read = (row, prose) => {
  const cells = all('td[data-i]', row);
  all('[data-i]', prose).forEach((word, k) => {
    const cell = cells[k];
    const kept = ['xp-t', 'xp-special'].filter(name => word.classList.contains(name));
    const taken = ['pos', 'neg', 'mag', 'none', 'strong', 'xp-right'].filter(name => cell.classList.contains(name));
    word.className = [...kept, ...taken].join(' ');
    word.style.setProperty('--a', cell.style.getPropertyValue('--a'));
    word.dataset.tip = cell.dataset.tip;
    word.setAttribute('aria-label', cell.getAttribute('aria-label'));
  });
};

const rowsOf = card => all('.xp-layers tbody tr', card).filter(row => row.querySelector('[data-i]'));
const slide = range => {
  const card = range.closest('.xp');
  const rows = rowsOf(card);
  rows.forEach((row, k) => row.classList.toggle('xp-chosen', k === +range.value));
  card.querySelector('output').textContent = rows[+range.value].querySelector('th').textContent;
  Object.assign(kept, {panel: card.querySelector('h3').textContent, row: +range.value});
  range.setAttribute('aria-valuetext', card.querySelector('output').textContent);
  read(rows[+range.value], card.querySelector('.xp-reading'));
};
element.addEventListener('input', event => { if (event.target.matches('.xp-range')) slide(event.target); });

// A method's name reads its row as text.
const choose = header => {
  const card = header.closest('.xp');
  const prose = card.querySelector('.xp-prose');
  const row = header.closest('tr');
  if (!prose || !row.querySelector('td[data-i]')) return;
  read(row, prose);
  kept.lead = header.firstChild.textContent.trim();
  all('tbody tr', card).forEach(other => other.classList.toggle('xp-lead', other === row));
  const name = card.querySelector('.xp-legend b');
  if (name) name.textContent = header.firstChild.textContent.trim();
};
const names = 'table.xp-map:not(.xp-layers) tbody th';
element.addEventListener('click', event => { const header = event.target.closest(names); if (header) choose(header); });
element.addEventListener('keydown', event => {
  if ((event.key === 'Enter' || event.key === ' ') && event.target.matches(`${names} .xp-name`)) {
    event.preventDefault();
    choose(event.target.closest('th'));
  }
});

const start = () => {
  rove();
  all(`${names} .xp-name`).forEach(name => {
    name.tabIndex = 0;
    name.setAttribute('role', 'button');
    name.title = 'read this row as text';
  });
  remember();
  all('.xp-range').forEach(range => {
    const same = kept.panel === range.closest('.xp').querySelector('h3').textContent && kept.row <= +range.max;
    range.value = same ? kept.row : range.defaultValue;         // a redraw may reuse the element, with its old position
    slide(range);
  });
  const lead = kept.lead && all(names).find(header => header.firstChild.textContent.trim() === kept.lead);
  if (lead) choose(lead);
};
start();
watch('value', () => requestAnimationFrame(start));
