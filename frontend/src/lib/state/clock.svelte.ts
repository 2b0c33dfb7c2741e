// The present, as the pages show it. It ticks only while somebody needs it to.

class Clock {
  now = $state(new Date());

  /** Ticks until the function that it gives is called. */
  tick(everyMs: number): () => void {
    this.now = new Date();
    const timer = setInterval(() => (this.now = new Date()), everyMs);
    return () => clearInterval(timer);
  }
}

export const clock = new Clock();
