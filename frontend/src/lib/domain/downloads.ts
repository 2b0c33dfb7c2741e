// Downloads of models as people follow them.
import type { DownloadJob, HubOffer } from '../api/types';
import { bytes, clock, duration } from './units';

export type DownloadStatus = DownloadJob['status'];

/** The list with what was just told of one; a cancelled one is no longer in it. */
export function told(list: readonly DownloadJob[], job: DownloadJob): DownloadJob[] {
  if (job.status === 'cancelled') return list.filter((j) => j.id !== job.id);
  return list.some((j) => j.id === job.id) ? list.map((j) => (j.id === job.id ? job : j)) : [...list, job];
}

const busy: readonly DownloadStatus[] = ['queued', 'downloading', 'waiting', 'verifying'];

/** Something happens to it by itself. */
export const isBusy = (job: DownloadJob): boolean => busy.includes(job.status);

export const words: Record<DownloadStatus, string> = {
  queued: 'Waits for others to end',
  downloading: 'Downloading',
  waiting: 'Waiting',
  verifying: 'Checking its hash',
  paused: 'Paused',
  failed: 'Failed',
  done: 'Done',
  cancelled: 'Cancelled',
};

export const tones: Record<DownloadStatus, 'ok' | 'busy' | 'bad' | 'off'> = {
  queued: 'off',
  downloading: 'busy',
  waiting: 'busy',
  verifying: 'busy',
  paused: 'off',
  failed: 'bad',
  done: 'ok',
  cancelled: 'off',
};

/** How far it is: 34 MB of 98 MB. */
export const far = (job: DownloadJob): string => (job.status === 'done' ? bytes(job.total_bytes) : `${bytes(job.done_bytes)} of ${bytes(job.total_bytes)}`);

/** What else is to be said of it at the moment: its speed, when it is tried again. */
export function moment(job: DownloadJob, now: Date): string {
  if (job.status === 'waiting' && job.retry_at) return `tried again at ${clock(new Date(job.retry_at), now)}`;
  if (job.status !== 'downloading' || job.bytes_per_second <= 0) return '';
  const left = job.seconds_left === null ? '' : `${duration(Math.max(1, Math.round(job.seconds_left)) * 1000).replace('.0 s', ' s')} left`;
  return [`${bytes(job.bytes_per_second)}/s`, left].filter(Boolean).join(' · ');
}

/** The server's reason as a sentence of its own. */
export function reason(job: DownloadJob): string {
  const text = job.problem.trim();
  if (!text) return '';
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?)]$/.test(text) ? '' : '.'}`;
}

/** Which files it is of, where that is not the model's name itself. */
export const source = (job: DownloadJob): string => [job.repo, job.file].filter(Boolean).join(' · ');

/** What the library will call an offer of a repository. */
export function modelName(repo: string, offer: Pick<HubOffer, 'file'>): string {
  const name = (offer.file || repo).split('/').pop() ?? '';
  if (!offer.file) return name.toLowerCase();
  return name.replace(/\.[^.]+$/, '').replace(/-\d{5}-of-\d{5}$/, '').toLowerCase();
}

/** The download of an offer that is on the list, the newest one. */
export const jobOf = (list: readonly DownloadJob[], repo: string, offer: Pick<HubOffer, 'file'>): DownloadJob | undefined =>
  list.filter((j) => j.repo === repo && j.file === offer.file).at(-1);
