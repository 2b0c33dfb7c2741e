// Which page is shown, and what it is narrowed to. Both stand behind the # of the address, so that a
// view can be linked and the history's buttons work, in the window as in a browser.

export const pages = ['overview', 'settings'] as const;
export type PageName = (typeof pages)[number];

class Place {
  page = $state<PageName>('overview');
  query = $state.raw(new URLSearchParams());

  constructor() {
    addEventListener('hashchange', () => this.#read());
    this.#read();
  }

  #read(): void {
    const [name = '', query = ''] = location.hash.slice(1).split('?');
    this.page = pages.find((p) => p === name) ?? 'overview';
    this.query = new URLSearchParams(query);
  }

  /** Narrows the page without a step in the history: a filter is no place to go back to. */
  narrow(query: URLSearchParams): void {
    const text = query.toString();
    history.replaceState(null, '', `#${this.page}${text && `?${text}`}`);
    this.query = query;
  }
}

export const place = new Place();
