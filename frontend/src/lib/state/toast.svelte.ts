// Short messages about what was just done, perhaps with a way back.
import { sentence } from '../api/problem';

export interface Toast {
  readonly id: number;
  readonly text: string;
  readonly tone: 'plain' | 'ok' | 'bad';
  readonly action?: { label: string; run: () => void | Promise<void> };
  /** Its time is the server's and waits for nobody. */
  readonly fixed: boolean;
  ends: number;
  busy: boolean;
}

export interface Message {
  text: string;
  tone?: Toast['tone'];
  action?: Toast['action'];
  /** How long it stands, in milliseconds; an error longer than the rest. */
  lasts?: number;
  /** Or until when, where something ends then: a time to undo. */
  until?: Date;
}

const most = 4;
const step = 200;

class Toasts {
  list = $state<Toast[]>([]);
  #now = $state(Date.now());
  #last = 0;

  /** Shows a message and gives its id. */
  show({ text, tone = 'plain', action, lasts = tone === 'bad' || action ? 10_000 : 4000, until }: Message): number {
    this.#now = Date.now();
    const toast: Toast = { id: ++this.#last, text, tone, fixed: until !== undefined, ends: until?.getTime() ?? this.#now + lasts, busy: false };
    this.list = [...this.list, action ? { ...toast, action } : toast].slice(-most);
    return toast.id;
  }

  dismiss(id: number): void {
    this.list = this.list.filter((t) => t.id !== id);
  }

  /** Does what a message offers. It goes when that is done, and tells why when it is not. */
  async act(toast: Toast): Promise<void> {
    const shown = this.list.find((t) => t.id === toast.id);
    if (!shown?.action || shown.busy) return;
    shown.busy = true;
    try {
      await shown.action.run();
    } catch (error) {
      this.show({ text: sentence(error), tone: 'bad' });
    }
    this.dismiss(shown.id);
  }

  secondsLeft = (toast: Toast): number => Math.max(0, Math.ceil((toast.ends - this.#now) / 1000));

  /** Lets time pass until the function that it gives is called; not while held, for those that may wait. */
  tick(held: () => boolean): () => void {
    const timer = setInterval(() => {
      const passed = Date.now() - this.#now;
      this.#now = Date.now();
      for (const t of this.list) if (held() && !t.fixed) t.ends += passed;
      if (this.list.some((t) => !t.busy && t.ends <= this.#now)) this.list = this.list.filter((t) => t.busy || t.ends > this.#now);
    }, step);
    return () => clearInterval(timer);
  }
}

export const toasts = new Toasts();
