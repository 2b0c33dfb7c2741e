// A keychain of a test's own: gnome-keyring's Secret Service on a session bus that nobody else has, empty and open. Linux only.
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

const run = promisify(execFile);
const at = '/org/freedesktop/secrets';
const collection = `${at}/collection/login`;

const config = (socket: string) => `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path=${socket}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>`;

export class Keychain {
  readonly #dir: string;
  readonly #address: string;
  readonly #children: ChildProcess[];
  readonly #before = process.env.DBUS_SESSION_BUS_ADDRESS;

  private constructor(dir: string, address: string, children: ChildProcess[]) {
    this.#dir = dir;
    this.#address = address;
    this.#children = children;
    process.env.DBUS_SESSION_BUS_ADDRESS = address; // for the server, which takes its environment from here
    process.on('exit', this.#kill);
  }

  static async start(): Promise<Keychain> {
    const dir = await mkdtemp(join(tmpdir(), 'keys')); // short: it stands in a socket's address
    await writeFile(join(dir, 'bus.conf'), config(join(dir, 'bus')), { mode: 0o600 });
    const bus = spawn('dbus-daemon', [`--config-file=${join(dir, 'bus.conf')}`, '--nofork', '--print-address=1'], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [address] = (await once(createInterface({ input: bus.stdout }), 'line')) as [string];
    const env = { PATH: process.env.PATH, HOME: dir, XDG_DATA_HOME: dir, XDG_RUNTIME_DIR: dir, DBUS_SESSION_BUS_ADDRESS: address };
    const ring = spawn('gnome-keyring-daemon', ['--foreground', '--unlock', '--components=secrets', `--control-directory=${dir}`], { env, stdio: ['pipe', 'ignore', 'ignore'] });
    ring.stdin.end('password');
    const keychain = new Keychain(dir, address, [ring, bus]);
    for (let left = 600; ; left--) {
      const said = await keychain.#call('Unlock').catch(() => '');
      if (said.includes(`"${collection}"`)) return keychain;
      if (left === 0) throw new Error('gnome-keyring-daemon is not ready: run make setup');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Locks it: who reads then would have to give its password. */
  async lock(): Promise<void> {
    await this.#call('Lock');
  }

  async stop(): Promise<void> {
    this.#kill();
    process.off('exit', this.#kill);
    if (this.#before === undefined) delete process.env.DBUS_SESSION_BUS_ADDRESS;
    else process.env.DBUS_SESSION_BUS_ADDRESS = this.#before;
    await rm(this.#dir, { recursive: true, force: true });
  }

  readonly #kill = (): void => {
    for (const child of this.#children) child.kill('SIGKILL');
  };

  async #call(method: string): Promise<string> {
    const to = ['--print-reply', '--dest=org.freedesktop.secrets', at, `org.freedesktop.Secret.Service.${method}`];
    return (await run('dbus-send', [`--bus=${this.#address}`, ...to, `array:objpath:${collection}`])).stdout;
  }
}
