import { describe, expect, it } from 'vitest';
import type { RoutePlan } from '../api/types';
import { decided, told, verdict } from './plan';

type Target = RoutePlan['targets'][number];
const local: Target = { provider: 'local', model: 'small', leaves: false, here: true, unlisted: false, weight: 1, running: 0, skip: '', retry_at: null };
const far: Target = { ...local, provider: 'far', model: 'gpt', leaves: true, here: false };
const plan = (...targets: Target[]): RoutePlan => ({ model: 'gpt', route: 'gpt-*', spread: 'order', targets });

describe('what becomes of a request', () => {
  it.each([
    [plan(local), 'It stays on this machine.'],
    [plan(local, far), 'It stays on this machine unless that fails.'],
    [plan(far, local), 'It leaves this machine.'],
    [{ ...plan(local, far), spread: 'weight' }, 'Whether it leaves this machine differs from request to request.'],
    [{ ...plan(far), spread: 'load' }, 'It leaves this machine.'],
    [plan(local, { ...far, skip: 'nothing may leave' }), 'It stays on this machine.'],
    [plan({ ...far, skip: 'nothing may leave' }), 'A request would be refused now: every target is passed over.'],
    [plan({ ...local, here: false }), 'There is no such model on this machine.'],
    [plan({ ...local, here: false }, far), 'It leaves this machine.'],
    [plan({ ...local, here: false }, { ...far, skip: 'nothing may leave' }), 'There is no such model on this machine.'],
  ] satisfies [RoutePlan, string][])('is told', (given, want) => expect(verdict(given)).toBe(want));
});

it('names the route that decided', () => {
  expect(decided(plan(far))).toBe('the route gpt-* decides.');
  expect(decided({ ...plan(far, local), spread: 'load' })).toContain('The least busy one');
  expect(decided({ ...plan(far), spread: 'load' })).toBe('the route gpt-* decides.'); // there is nothing to spread
  expect(decided({ ...plan(local), route: '' })).toBe('no route matches, so it stays with the engines of this machine.');
});

it('tells of a target what matters just now', () => {
  expect(told(local)).toEqual({ where: 'This machine', notes: [], skip: '' });
  expect(told({ ...local, here: false, weight: 3, running: 2 })).toEqual({ where: 'This machine', notes: ['not on this machine', 'weight 3', '2 running now'], skip: '' });
  const at = new Date(2026, 0, 2, 3, 4, 5).toISOString();
  expect(told({ ...far, skip: 'its circuit is open', retry_at: at }).skip).toBe('its circuit is open; asked again at 03:04:05');
});
