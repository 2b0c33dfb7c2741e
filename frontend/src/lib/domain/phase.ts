// The words for where the server is in its life.
import type { Phase } from '../api/native';

export type AnyPhase = Phase | 'unknown' | 'locked';

export const phaseWord: Record<AnyPhase, string> = {
  unknown: 'Connecting…',
  locked: 'Locked',
  stopped: 'Stopped',
  starting: 'Starting…',
  running: 'Running',
  stopping: 'Stopping…',
  failed: 'Not running',
};

export const phaseTone: Record<AnyPhase, 'ok' | 'busy' | 'bad' | 'off'> = {
  unknown: 'off',
  locked: 'off',
  stopped: 'off',
  starting: 'busy',
  running: 'ok',
  stopping: 'busy',
  failed: 'bad',
};
