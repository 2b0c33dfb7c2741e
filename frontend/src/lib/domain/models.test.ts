import { describe, expect, it } from 'vitest';
import { proposed } from './models';

const far = { id: 'a-far-one', local: false };
const near = { id: 'b-near-one', local: true };
const loaded = { id: 'c-loaded-one', local: true };

describe('the model that is proposed', () => {
  it.each([
    ['nothing, when there is none', [], '', [], ''],
    ['the one that was chosen', [far, near, loaded], far.id, [loaded.id], far.id],
    ['a loaded one, when the chosen one is gone', [far, near, loaded], 'gone', [loaded.id], loaded.id],
    ['one that runs here, when none is loaded', [far, near, loaded], '', [], near.id],
    ['one that runs here, even when a name elsewhere is called loaded', [far, near], '', [far.id], near.id],
    ['one elsewhere, when there is no other', [far], '', [], far.id],
  ])('is %s', (_, models, chosen, engines, want) => {
    expect(proposed(models, chosen, engines)).toBe(want);
  });
});
