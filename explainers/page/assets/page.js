// What the browser does for the page by itself: it says which view is open, and copies the query
// that the server wrote into the address. Nothing here knows what a query means.

window.explainersPage = {
  views: slug => document.querySelector(`#${slug}-views`),

  // The name of the view that is open in a tab.
  openView(slug) {
    const open = this.views(slug)?.querySelector('[role=tab][aria-selected=true]');
    return open?.getAttribute('aria-controls')?.replace(`${slug}-view-`, '') ?? '';
  },

  // The same for a link: not the view that makes links, but the one that was open before.
  async viewOfLink(slug) {
    await new Promise(done => setTimeout(done, 60));  // a view says a moment later that it is open
    const views = this.views(slug);
    const open = this.openView(slug);
    if (views && open !== 'share') views.dataset.last = open;
    return views?.dataset.last ?? new URLSearchParams(location.search).get('view') ?? '';
  },

  // Puts a query into the address, unless another tab of the page is open; gives the address.
  copyLink(slug, query) {
    if (!this.views(slug)?.checkVisibility()) return undefined;
    const known = new URL(location.origin + location.pathname + query);
    history.replaceState(null, '', known);
    return known.href;
  },
};
