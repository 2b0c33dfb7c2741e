import { expect, it } from 'vitest';
import openapi from '../api/openapi.json';
import { faultAt, faultsIn, section, sections } from './fields';
import type { Json } from './patch';
import { facts } from './schema';

const schema = (openapi as unknown as { components: { schemas: { Settings: Json } } }).components.schemas.Settings;
const fields = sections.flatMap((s) => s.fields);

it('has the sections in their order', () => {
  expect(sections.map((s) => s.title)).toEqual([
    'General', 'Request Timeouts', 'Engines', 'Local Only', 'Providers', 'Routes', 'API Keys', 'Privacy and Retention', 'Costs', 'Audit Logs',
  ]);
  expect(section('engines').title).toBe('Engines');
  expect(() => section('gone')).toThrow('gone');
});

it.each(fields.map((f) => [f.path, f] as const))('%s is a setting that the server describes', (path) => {
  expect(facts(schema, path).description).not.toBe('');
});

it('shows every setting but those that have a page of their own', () => {
  const leaves = (s: Json, at = ''): string[] => {
    const members = (s as { properties?: Record<string, Json> }).properties;
    return members ? Object.entries(members).flatMap(([name, inner]) => leaves(inner, at ? `${at}.${name}` : name)) : [at];
  };
  const elsewhere = ['$schema', 'version', 'providers', 'routes', 'models.each'];
  expect(leaves(schema).filter((path) => !elsewhere.includes(path)).sort()).toEqual(fields.map((f) => f.path).sort());
});

it('finds the fault of a field and of an entry of its list', () => {
  const faults = { 'server.addr': 'must be a loopback address', 'server.allowed_origins[1]': 'must be an origin' };
  expect(faultAt(faults, 'server.addr')).toBe('must be a loopback address');
  expect(faultAt(faults, 'server.allowed_origins', ['a', 'b'])).toBe('cannot have “b”: each must be an origin');
  expect(faultAt(faults, 'server')).toBe('');
});

it('finds the faults at a place and beneath it', () => {
  const faults = { 'routes[1]': 'a', 'routes[1].targets[0].provider': 'b', 'routes[10].model': 'c', routes: 'd' };
  expect(faultsIn(faults, 'routes[1]')).toEqual(['routes[1]', 'routes[1].targets[0].provider']);
  expect(faultsIn(faults, 'routes')).toEqual(Object.keys(faults));
});
