import { expect, it } from 'vitest';
import { follow } from './address';

it.each([
  ['follows to another port', 'http://127.0.0.1:1/#settings', 'http://127.0.0.1:1', 'http://127.0.0.1:2', 'http://127.0.0.1:2/#settings'],
  ['follows to another host', 'http://127.0.0.1:1/', 'http://127.0.0.1:1', 'http://[::1]:1', 'http://[::1]:1/'],
  ['stays when nothing moved', 'http://127.0.0.1:1/', 'http://127.0.0.1:1', 'http://127.0.0.1:1', ''],
  ['stays in the window', 'wails://wails/#settings', 'http://127.0.0.1:1', 'http://127.0.0.1:2', ''],
  ['stays at a development server', 'http://localhost:5173/', 'http://127.0.0.1:1', 'http://127.0.0.1:2', ''],
  ['stays when it does not know where the server was', 'http://127.0.0.1:1/', '', 'http://127.0.0.1:2', ''],
])('%s', (_, here, before, now, to) => expect(follow(new URL(here), before, now)).toBe(to));
