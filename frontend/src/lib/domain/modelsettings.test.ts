import { describe, expect, it } from 'vitest';
import { changedOf, editsOf, entriesOf, faultsOf, fromForm, placeOf, same, settingsOf, split, toForm, withSettings } from './modelsettings';

describe('the entries', () => {
  const each = [{ name: 'a', pin: true }, { name: 'b', context_size: 4096, parallel: 2 }];

  it('are changed one at a time, and one that says nothing goes', () => {
    expect(withSettings(each, 'b', { context_size: 0 })).toEqual([{ name: 'a', pin: true }, { name: 'b', parallel: 2 }]);
    expect(withSettings(each, 'a', { pin: false })).toEqual([{ name: 'b', context_size: 4096, parallel: 2 }]);
    expect(withSettings(each, 'c', { draft: 'a' })).toEqual([...each, { name: 'c', draft: 'a' }]);
    expect(withSettings(each, 'c', { pin: false, arguments: [] })).toEqual(each);
  });

  it('are found by the model’s name', () => {
    expect(settingsOf(each, 'b').context_size).toBe(4096);
    expect(settingsOf(each, 'c')).toEqual({ name: 'c' });
    expect(settingsOf([{ name: 'B', pin: true }], 'b').pin).toBe(true); // as somebody wrote it
    expect([placeOf(each, 'B'), placeOf(each, 'c')]).toEqual([1, 2]);
  });
});

describe('the form', () => {
  it('says what it was made of', () => {
    const settings = { name: 'a', pin: true, preload: true, context_size: 8192, parallel: 2, draft: 'small', arguments: ['--temp', '0.5', '--chat-template', "it's one"] };
    const form = toForm(settings);
    expect(form.arguments).toBe(`--temp 0.5 --chat-template 'it'"'"'s one'`);
    const { change, faults } = fromForm(form);
    expect(faults).toEqual({});
    expect({ name: 'a', ...change }).toEqual(settings);
    expect(same(form, toForm(settings))).toBe(true);
    expect(same(form, { ...form, parallel: '' })).toBe(false);
  });

  it('leaves out what is empty, and names what is no number', () => {
    const form = { ...toForm({ name: 'a' }), context_size: ' ', parallel: 'two', arguments: '"--temp' };
    const { change, faults } = fromForm(form);
    expect(change.context_size).toBe(0);
    expect(Object.keys(faults)).toEqual(['parallel', 'arguments']);
  });

  it('gives what is changed of single models as entries with that alone, and has it back', () => {
    const each = [
      { name: 'a', pin: true, context_size: 512, arguments: ['--flash-attn', 'on'] },
      { name: 'b', parallel: 2 },
    ];
    const edits = { a: { pin: true, context_size: '', arguments: '--swa-full' }, b: { parallel: 'two', draft: 'c' }, c: { parallel: '4' }, d: { pin: false } };
    const entries = entriesOf(edits, each);
    expect(entries).toEqual([
      { name: 'a', context_size: 0, arguments: ['--swa-full'] },
      { name: 'b', draft: 'c' }, // two is no number
      { name: 'c', parallel: 4 },
    ]);
    expect(changedOf(edits, each)).toEqual(['a', 'b', 'c']);
    expect(editsOf(entries)).toEqual({ a: { context_size: '', arguments: '--swa-full' }, b: { draft: 'c' }, c: { parallel: '4' } });
    expect(entriesOf(editsOf(entries), each)).toEqual(entries);
  });

  it('divides arguments as a terminal does', () => {
    expect(split('')).toEqual([]);
    expect(split(`  a  'b c' d"e f" ''`)).toEqual(['a', 'b c', 'de f', '']);
    expect(split(`a 'b`)).toBeNull();
  });

  it('shows at the field what the server finds wrong there', () => {
    const found = faultsOf(
      [
        { location: 'models.each[1].context_size', detail: 'must be from 0 to 10' },
        { location: 'models.each[1].arguments[0]', detail: 'is not allowed' },
        { location: 'models.each[0].draft', detail: 'is no model' },
        { location: 'server.addr', detail: 'is wrong' },
      ],
      1,
    );
    expect(found.faults).toEqual({ context_size: 'must be from 0 to 10', arguments: 'is not allowed' });
    expect(found.rest).toEqual(['models.each[0].draft is no model', 'server.addr is wrong']);
  });
});
