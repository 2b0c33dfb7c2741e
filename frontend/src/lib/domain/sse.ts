// A parser of server-sent events for a fetched stream (EventSource cannot POST, nor say why it failed). Chunks may be cut
// anywhere, also between a carriage return and its line feed.

export interface ServerEvent {
  event: string;
  data: string;
  /** From which the stream can go on; "" where none was ever told. */
  id: string;
}

export class EventParser {
  #rest = '';
  #event = '';
  #data: string[] = [];
  #id = '';

  /** The last id told, by an event or between two. */
  lastId = '';

  /** Takes the next piece of text and gives the events that it completes. */
  push(chunk: string): ServerEvent[] {
    const text = this.#rest + chunk;
    const events: ServerEvent[] = [];
    let from = 0;
    for (;;) {
      const end = text.slice(from).search(/[\r\n]/);
      if (end < 0) break;
      const at = from + end;
      // A return at the very end may be half of a line end.
      if (text[at] === '\r' && at + 1 === text.length) break;
      const next = text[at] === '\r' && text[at + 1] === '\n' ? at + 2 : at + 1;
      const done = this.#line(text.slice(from, at));
      if (done) events.push(done);
      from = next;
    }
    this.#rest = text.slice(from);
    return events;
  }

  #line(line: string): ServerEvent | null {
    if (line === '') {
      const event = this.#data.length > 0 ? { event: this.#event || 'message', data: this.#data.join('\n'), id: this.#id } : null;
      this.#event = '';
      this.#data = [];
      this.lastId = this.#id;
      return event;
    }
    const colon = line.indexOf(':');
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'event') this.#event = value;
    else if (name === 'data') this.#data.push(value);
    else if (name === 'id') this.#id = value;
    return null;
  }
}
