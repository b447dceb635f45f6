// What a page adds to the static heatmaps: linked hovering, arrow keys, rows painted onto the running text or the large
// picture, and how maps lie over a picture.
// Runs once in each heatmap component; `element`, `watch` come from Gradio. Listeners sit on the component, so they
// outlive every redraw. Nothing here builds HTML from text.

const all = (selector, root = element) => [...root.querySelectorAll(selector)];

const heat = (target, on) => {
  const cell = target?.closest?.('[data-i]');
  if (!cell) return;
  const apart = cell.closest('[data-apart]');         // maps of a picture, and a table whose columns are not the words
  all(`[data-i="${cell.dataset.i}"]`, apart || element).forEach(one => one.closest('[data-apart]') === apart && one.classList.toggle('hot', on));
  if (cell.matches('rect')) all('.xp-tile', apart).forEach(tile => tell(tile, on ? +cell.dataset.i : -1));
};

// The patch that is pointed at, in every map of the picture: a frame around it, and its number under the map.
const short = title => title.replace(/: (minus|plus) ([^,]*).*/, (_, sign, size) => `: ${sign === 'minus' ? '−' : '+'}${size}`);
const tell = (tile, i) => {
  const rect = tile.querySelector(`rect[data-i="${i}"]`);
  const svg = tile.querySelector('.xp-patches:has(rect)');
  const readout = tile.querySelector('.xp-readout');
  if (!svg) return;
  readout.dataset.said ??= readout.textContent;
  readout.textContent = rect ? short(rect.querySelector('title').textContent) : readout.dataset.said;
  all('.xp-frame', svg).forEach(frame => frame.remove());
  for (const ink of rect ? ['dark', 'light'] : []) {
    const frame = svg.appendChild(document.createElementNS(svg.namespaceURI, 'rect'));
    frame.setAttribute('class', `xp-frame ${ink}`);
    for (const way of ['x', 'y']) frame.setAttribute(way, rect.getAttribute(way));
  }
};
element.addEventListener('mouseover', event => heat(event.target, true));
element.addEventListener('mouseout', event => heat(event.target, false));
element.addEventListener('focusin', event => heat(event.target, true));
element.addEventListener('focusout', event => heat(event.target, false));

// One tab stop a table, text or picture; arrow keys go on from there.
const stops = 'table.xp-map, .xp-prose, .xp-patches[role="group"]';
const groups = () => all(stops);
const rove = () => groups().forEach(group => all('[data-i]', group).forEach((cell, k) => {
  cell.tabIndex = k ? -1 : 0;
  if (cell.matches('rect')) cell.setAttribute('role', 'img');
}));
element.addEventListener('keydown', event => {
  const here = event.target.closest('[data-i]');
  if (!here) return;
  const group = here.closest(stops);
  const row = here.closest('tr');
  const beside = all('[data-i]', row || group);
  const at = beside.indexOf(here);
  const columns = group.viewBox?.baseVal.width;       // of a picture's patches
  // in a text that is read from the right, the next word is on the left
  const fromRight = getComputedStyle(here.parentElement).direction === 'rtl';
  const [ahead, back] = fromRight ? ['ArrowLeft', 'ArrowRight'] : ['ArrowRight', 'ArrowLeft'];
  let next;
  if (columns && event.key.startsWith('Arrow')) {
    const [down, right] = {ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0]}[event.key];
    const column = at % columns + right;
    next = column >= 0 && column < columns ? beside[at + columns * down + right] : null;
    if (!next) event.preventDefault();                // at the edge: stay, and do not scroll the page away
  } else if (event.key === ahead) next = beside[at + 1];
  else if (event.key === back) next = beside[at - 1];
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
const place = element.closest('[id$=-compared], [id$=-panel]')?.id;
const shelf = window.explainersKept ??= {};
let kept = shelf[place] ??= {};
const looks = shelf.looks ??= {};           // how maps lie over pictures, over whichever
const remember = () => {
  const photo = element.querySelector('.xp-pictured')?.getAttribute('style');
  const text = photo ?? all('[data-i]:not(.xp-special)', element.querySelector('.xp-prose') || element).map(word => word.textContent).join('');
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

// Lay a small picture's map over the large one: same colours, same numbers.
const lay = (thumb, tile) => {
  const [from, to] = [thumb, tile].map(one => one.querySelector('.xp-patches'));
  const [away, towards] = to.dataset.poles ? JSON.parse(to.dataset.poles) : [];
  const values = thumb.dataset.scores.split(',');
  const sizes = values.map(value => Math.abs(parseFloat(value.replaceAll('−', '-'))) || 0);
  const share = k => Math.min(1, sizes[k] / thumb.dataset.scale) || 0;
  const signs = {'−': ['neg', 'minus', away], '+': ['pos', 'plus', towards]};
  all('rect[data-i]', to).forEach((rect, k) => {
    const [kind, sign, pole] = sizes[k] && signs[values[k][0]] || ['mag'];
    const words = sign ? `${sign} ${values[k].slice(1)}, ${pole}` : values[k].replace(/^\+/, '');
    const title = rect.querySelector('title');
    rect.setAttribute('class', kind);
    rect.style.setProperty('--a', share(k).toFixed(2));
    title.textContent = `${title.textContent.split(': ')[0]}: ${words}`;
  });
  const copied = {'.xp-signs': 'd', '.xp-blocks': 'href'};
  for (const [selector, name] of Object.entries(copied)) to.querySelector(selector)?.setAttribute(name, from.querySelector(selector).getAttribute(name));
  to.setAttribute('aria-label', from.getAttribute('aria-label'));
  const most = sizes.indexOf(Math.max(...sizes));
  const [row, column] = [Math.floor(most / to.viewBox.baseVal.width), most % to.viewBox.baseVal.width];
  const readout = tile.querySelector('.xp-readout');
  readout.dataset.said = sizes[most] ? `strongest: row ${row + 1}, column ${column + 1}: ${values[most]}` : 'zero everywhere';
  readout.textContent = readout.dataset.said;
};

const rowsOf = card => all('.xp-layers tbody tr, .xp-thumb[data-scores]', card).filter(row => row.dataset.scores || row.querySelector('[data-i]'));
const nameOf = row => row.querySelector('th, figcaption b').textContent;
const slide = range => {
  const card = range.closest('.xp');
  const rows = rowsOf(card);
  rows.forEach((row, k) => row.classList.toggle('xp-chosen', k === +range.value));
  card.querySelector('output').textContent = nameOf(rows[+range.value]);
  Object.assign(kept, {panel: card.querySelector('h3').textContent, row: +range.value});
  range.setAttribute('aria-valuetext', card.querySelector('output').textContent);
  (rows[+range.value].dataset.scores ? lay : read)(rows[+range.value], card.querySelector('.xp-reading'));
};
element.addEventListener('input', event => { if (event.target.matches('.xp-range')) slide(event.target); });
element.addEventListener('click', event => {
  const thumb = event.target.closest('.xp-thumb[data-scores]');
  const range = thumb?.closest('.xp').querySelector('.xp-range');
  if (!range) return;
  range.value = rowsOf(thumb.closest('.xp')).indexOf(thumb);
  slide(range);
});

// How strong the maps of a picture are, and what they show instead of patches.
const look = control => {
  const card = control.closest('.xp');
  if (control.matches('.xp-to-opacity')) card.style.setProperty('--xp-opacity', control.value);
  if (control.matches('.xp-to-smooth')) card.classList.toggle('xp-smoothed', control.checked);
  if (control.matches('.xp-to-pixels')) card.classList.toggle('xp-pixelwise', control.checked);
};
const controls = {'.xp-to-opacity': 'value', '.xp-to-smooth': 'checked', '.xp-to-pixels': 'checked'};
const controlled = control => Object.keys(controls).find(selector => control.matches(selector));
element.addEventListener('input', event => {
  const selector = controlled(event.target);
  if (!selector) return;
  looks[selector] = event.target[controls[selector]];
  look(event.target);
});

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

// A row of a test's numbers brings its line to the front.
const stress = (target, on) => {
  const row = target?.closest?.('.xp-trial tr[data-k]');
  if (row) all('polyline[data-k]', row.closest('.xp')).forEach(line => line.classList.toggle('xp-faint', on && line.dataset.k !== row.dataset.k));
};
for (const [event, on] of [['mouseover', true], ['mouseout', false], ['focusin', true], ['focusout', false]])
  element.addEventListener(event, ({target}) => stress(target, on));

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
  all(Object.keys(controls).join()).forEach(control => {
    const selector = controlled(control);
    const first = controls[selector] === 'value' ? control.defaultValue : control.defaultChecked;
    control[controls[selector]] = looks[selector] ?? first;
    look(control);
  });
  const lead = kept.lead && all(names).find(header => header.firstChild.textContent.trim() === kept.lead);
  if (lead) choose(lead);
};
start();
watch('value', () => requestAnimationFrame(start));
