// What a dry run of the routes tells, in words.
import type { RoutePlan } from '../api/types';
import { here } from './routes';
import { clock } from './units';

type PlannedTarget = RoutePlan['targets'][number];

const spreads: Record<RoutePlan['spread'], string> = {
  order: '',
  weight: ' Which is first is drawn by weight for each request; this is one of the draws.',
  load: ' The least busy one for its weight is first.',
};

/** Which route decided. */
export function decided({ route, spread, targets }: RoutePlan): string {
  if (!route) return 'no route matches, so it stays with the engines of this machine.';
  return `the route ${route} decides.${targets.length > 1 ? spreads[spread] : ''}`;
}

/** What becomes of a request. */
export function verdict({ spread, targets }: RoutePlan): string {
  const left = targets.filter((t) => !t.skip);
  if (left.length === 0) return 'A request would be refused now: every target is passed over.';
  const usable = left.filter((t) => t.provider !== here || t.here); // what is not here lets the next one answer
  const [first] = usable;
  if (!first) return 'There is no such model on this machine.';
  const some = usable.some((t) => t.leaves) && usable.some((t) => !t.leaves);
  if (spread !== 'order' && some) return 'Whether it leaves this machine differs from request to request.';
  if (!first.leaves) return usable.some((t) => t.leaves) ? 'It stays on this machine unless that fails.' : 'It stays on this machine.';
  return 'It leaves this machine.';
}

/** A target in words. */
export function told(t: PlannedTarget): { where: string; notes: string[]; skip: string } {
  const notes = [
    ...(t.provider === here && !t.here ? ['not on this machine'] : []),
    ...(t.unlisted ? ['not in the provider’s list'] : []),
    ...(t.weight > 1 ? [`weight ${t.weight}`] : []),
    ...(t.running > 0 ? [`${t.running} running now`] : []),
  ];
  const again = t.retry_at ? `; asked again at ${clock(new Date(t.retry_at), new Date(t.retry_at))}` : '';
  return { where: t.provider === here ? 'This machine' : t.provider, notes, skip: `${t.skip}${again}` };
}
