// Downloads of models. Read at first and when events were missed; then the server tells how each comes along.
import { cancelDownload, getDownloads, pauseDownload, resumeDownload, startDownload } from '../api/client';
import { sentence } from '../api/problem';
import type { DownloadJob, DownloadRequest } from '../api/types';
import { isBusy, reason, told } from '../domain/downloads';
import { place } from './place.svelte';
import { server } from './server.svelte';
import { toasts } from './toast.svelte';

class Downloads {
  list = $state.raw<readonly DownloadJob[]>([]);
  loaded = $state(false);
  problem = $state('');
  /** How many are under way. */
  readonly running = $derived(this.list.filter(isBusy).length);

  #asked = 0;
  #tellings = 0;
  readonly #gone = new Set<string>(); // taken off the list here: that it is done is told once more then
  readonly #toldAt = new Map<string, number>(); // by id: which of the tellings was the last of it
  #heard: DownloadJob[] = []; // since it was asked: an answer on its way is older

  /** Hears what the server tells, until the function that it gives is called. */
  follow(): () => void {
    return server.onDownload((job) => this.#told(job));
  }

  async load(): Promise<void> {
    const asked = ++this.#asked;
    this.#heard = [];
    try {
      const list = await getDownloads();
      if (asked !== this.#asked) return;
      this.list = this.#heard.reduce(told, list);
      this.loaded = true;
      this.problem = '';
    } catch (error) {
      if (asked === this.#asked) this.problem = sentence(error);
    }
  }

  /** Begins one. What is wrong is for the caller to say, beside what was pressed. */
  async start(what: DownloadRequest): Promise<DownloadJob> {
    return this.#answered(() => startDownload(what));
  }

  pause = (job: DownloadJob): Promise<void> => this.#attempt(job, 'Not paused', async () => void (await this.#answered(() => pauseDownload(job.id))));

  /** Has one go on that was paused, failed or waits. */
  resume = (job: DownloadJob): Promise<void> => this.#attempt(job, 'Not resumed', async () => void (await this.#answered(() => resumeDownload(job.id))));

  /** Ends one. What was there of it is gone, so the way back is to begin anew. */
  cancel = (job: DownloadJob): Promise<void> =>
    this.#attempt(job, 'Not cancelled', async () => {
      await cancelDownload(job.id);
      this.#put({ ...job, status: 'cancelled' });
      const { repo, file, revision } = job;
      const again = () => this.start({ repo, revision, ...(file ? { file } : {}) }).then(() => undefined);
      toasts.show({ text: `Cancelled ${job.model}: what there was of it is removed.`, action: { label: 'Download again', run: again } });
    });

  /** Takes one that is done off the list; the model stays. */
  forget = (job: DownloadJob): Promise<void> =>
    this.#attempt(job, 'Not taken off the list', async () => {
      this.#gone.add(job.id);
      await cancelDownload(job.id).catch((error: unknown) => {
        this.#gone.delete(job.id);
        throw error;
      });
      this.#put({ ...job, status: 'cancelled' });
    });

  async #attempt(job: DownloadJob, what: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      toasts.show({ text: `${what}: ${job.model}. ${sentence(error)}`, tone: 'bad' });
      await this.load();
    }
  }

  /** Asks, and takes the answer unless more was told of it meanwhile: a small one is done before the answer is here. */
  async #answered(ask: () => Promise<DownloadJob>): Promise<DownloadJob> {
    const before = this.#tellings;
    const job = await ask();
    if ((this.#toldAt.get(job.id) ?? 0) <= before) this.#put(job);
    return job;
  }

  #put(job: DownloadJob): void {
    this.#heard.push(job);
    this.list = told(this.list, job);
  }

  #told(job: DownloadJob): void {
    if (this.#gone.has(job.id)) return;
    const before = this.list.find((j) => j.id === job.id);
    this.#toldAt.set(job.id, ++this.#tellings);
    this.#put(job);
    // Who looks at the list sees it there.
    const looking = place.page === 'models' && place.spot === 'downloading';
    if (looking || !before || before.status === job.status) return;
    if (job.status === 'done') toasts.show({ text: `${job.model} is downloaded.`, tone: 'ok' });
    if (job.status === 'failed') toasts.show({ text: `The download of ${job.model} failed. ${reason(job)}`, tone: 'bad' });
  }
}

export const downloads = new Downloads();
