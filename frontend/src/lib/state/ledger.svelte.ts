// The ledger of the days that are looked at, and what providers charge.
import { getLedger, getPrices } from '../api/client';
import { sentence } from '../api/problem';
import type { Ledger, PriceList } from '../api/types';

class LedgerState {
  report = $state.raw<Ledger | null>(null);
  /** Why it could not be read, or "". */
  problem = $state('');
  prices = $state.raw<PriceList | null>(null);
  pricesProblem = $state('');

  #asked = 0;
  #last: Record<string, string> = {};

  async load(period: Record<string, string> = this.#last): Promise<void> {
    this.#last = period;
    const asked = ++this.#asked;
    try {
      const report = await getLedger(period);
      if (asked !== this.#asked) return;
      this.report = report;
      this.problem = '';
    } catch (error) {
      if (asked === this.#asked) this.problem = sentence(error);
    }
  }

  async loadPrices(): Promise<void> {
    try {
      this.prices = await getPrices();
      this.pricesProblem = '';
    } catch (error) {
      this.pricesProblem = sentence(error);
    }
  }
}

export const ledger = new LedgerState();
