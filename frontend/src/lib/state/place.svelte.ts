// Which page is shown, where on it, and what it is narrowed to. All of it stands behind the # of the
// address, so that a view can be linked and the history's buttons work, in the window as in a browser:
// #settings/timeouts.chat?model=a

export const pages = ['overview', 'models', 'ledger', 'benchmarks', 'connect', 'playground', 'settings'] as const;
export type PageName = (typeof pages)[number];

class Place {
  page = $state<PageName>('overview');
  /** A section or setting that a link leads to, or "". */
  spot = $state('');
  query = $state.raw(new URLSearchParams());
  /** Where the server answers now, while this page is still at its old address; or "". */
  moved = $state('');

  constructor() {
    addEventListener('hashchange', () => this.#read());
    this.#read();
  }

  #read(): void {
    const [path = '', query = ''] = location.hash.slice(1).split('?');
    const [name = '', spot = ''] = path.split('/');
    this.page = pages.find((p) => p === name) ?? 'overview';
    this.spot = spot;
    this.query = new URLSearchParams(query);
  }

  /** The address of a spot on a page; on the page that is shown, what it is narrowed to stays. */
  href(page: PageName, spot = ''): string {
    const query = page === this.page ? this.query.toString() : '';
    return `#${page}${spot && `/${spot}`}${query && `?${query}`}`;
  }

  /** Goes there, also when one is there: then the spot is sought again. */
  go(page: PageName, spot = ''): void {
    const to = this.href(page, spot);
    if (to === location.hash) this.spot = '';
    location.hash = to;
    this.#read();
  }

  /** Narrows the page without a step in the history: a filter is no place to go back to. */
  narrow(query: URLSearchParams, spot = ''): void {
    const text = query.toString();
    history.replaceState(null, '', `#${this.page}${spot && `/${spot}`}${text && `?${text}`}`);
    this.query = query;
    this.spot = spot || this.spot;
  }
}

export const place = new Place();
