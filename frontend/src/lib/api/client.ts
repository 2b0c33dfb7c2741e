// The one place that asks the server. The same relative addresses work in a browser, with the
// cookie of a login, and in the window, which adds the admin token on their way.
import type { ModelName } from '../domain/models';
import type { Json } from '../domain/patch';
import { isAbort, problemOf, unreachable } from './problem';
import type {
  AccessKey,
  Activity,
  AuditPage,
  AuditRecord,
  AuditStats,
  BenchmarkFile,
  BenchmarkJob,
  BenchmarkList,
  BenchmarkRequest,
  CheckRequest,
  CheckResult,
  Connect,
  Deleted,
  DownloadJob,
  DownloadRequest,
  Exportable,
  ExportFormat,
  HubFiles,
  HubFound,
  HubTokenTest,
  KeyRemoval,
  KeyRequest,
  Ledger,
  LocalModel,
  ModelList,
  NearbyServer,
  NewKey,
  PriceList,
  ProviderState,
  ProviderTest,
  RemovedModel,
  Restored,
  RoutePlan,
  SecretState,
  Settings,
  Status,
} from './types';

export async function request(path: string, init: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, { credentials: 'same-origin', cache: 'no-store', ...init });
  } catch (error) {
    throw isAbort(error) ? error : unreachable();
  }
  if (!response.ok) throw await problemOf(response);
  return response;
}

const json = async <T>(path: string, init?: RequestInit): Promise<T> => (await (await request(path, init)).json()) as T;

const send = (method: string, body?: unknown): RequestInit => ({
  method,
  ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } }),
});

export const getStatus = (): Promise<Status> => json('/api/status');

/** A page of records; newest first, unless query says otherwise. */
export const getAudit = (limit: number, query: Record<string, string> = {}, signal: AbortSignal | null = null): Promise<AuditPage> =>
  json(`/api/audit?${new URLSearchParams({ ...query, limit: String(limit) })}`, { signal });

export const getRecord = (requestId: string): Promise<AuditRecord> => json(`/api/audit/${encodeURIComponent(requestId)}`);

/** Takes all records out of sight; until the time that it gives they can be had back. */
export const deleteAudit = (): Promise<Deleted> => json('/api/audit', send('DELETE'));

export const undeleteAudit = (): Promise<Restored> => json('/api/audit/undelete', send('POST'));

export const getStats = (filter: Record<string, string>): Promise<AuditStats> => json(`/api/audit/stats?${new URLSearchParams(filter)}`);

/** The models that records name. */
export const getAuditModels = async (): Promise<string[]> => (await json<{ models: string[] }>('/api/audit/models')).models;

export const getActivity = (): Promise<Activity> => json('/api/activity');

/** Ends a running request, at its engine or provider too. */
export const cancelRequest = async (requestId: string): Promise<void> =>
  void (await request(`/api/requests/${encodeURIComponent(requestId)}/cancel`, send('POST')));

const model = (name: string): string => `/api/models/${encodeURIComponent(name)}`;

export const loadModel = async (name: string): Promise<void> => void (await request(`${model(name)}/load`, send('POST')));

export const unloadModel = async (name: string): Promise<void> => void (await request(`${model(name)}/unload`, send('POST')));

/** Takes a model's files out of sight, or those that are broken under that name; until the time that it gives they can be had back. */
export const removeModel = (name: string, broken: boolean): Promise<RemovedModel> => json(`${model(name)}${broken ? '?broken=true' : ''}`, send('DELETE'));

export const undeleteModel = async (name: string): Promise<void> => void (await request(`${model(name)}/undelete`, send('POST')));

/** Downloads of models, the oldest first. */
export const getDownloads = async (): Promise<DownloadJob[]> => (await json<{ downloads: DownloadJob[] }>('/api/downloads')).downloads;

/** Begins a download, or goes on with an unfinished one of the same files. */
export const startDownload = (what: DownloadRequest): Promise<DownloadJob> => json('/api/downloads', send('POST', what));

const download = (id: string): string => `/api/downloads/${encodeURIComponent(id)}`;

export const pauseDownload = (id: string): Promise<DownloadJob> => json(`${download(id)}/pause`, send('POST'));

export const resumeDownload = (id: string): Promise<DownloadJob> => json(`${download(id)}/resume`, send('POST'));

/** Ends a download and removes what there is of it, or takes a finished one off the list. */
export const cancelDownload = async (id: string): Promise<void> => void (await request(download(id), send('DELETE')));

/** Searches the Hugging Face Hub. The words go there. */
export const searchHub = async (q: string, format: string, signal: AbortSignal): Promise<HubFound[]> =>
  (await json<{ models: HubFound[] }>(`/api/hub/search?${new URLSearchParams({ q, format })}`, { signal })).models;

/** What there is to download of a repository of the Hub. */
export const getHubFiles = (repo: string): Promise<HubFiles> => json(`/api/hub/files?${new URLSearchParams({ repo })}`);

/** Where the token is that the Hub is asked with. */
export const getHubToken = (): Promise<SecretState> => json('/api/hub/token');

/** Puts the Hub's token into the keychain. */
export const setHubToken = (key: string): Promise<SecretState> => json('/api/hub/token', send('PUT', { key }));

/** Takes it out of the keychain. It cannot be had back; it is sent though the page is being left. */
export const removeHubToken = async (): Promise<void> => void (await request('/api/hub/token', { ...send('DELETE'), keepalive: true }));

/** Asks the Hub whose token it is. */
export const testHubToken = (): Promise<HubTokenTest> => json('/api/hub/token/test', send('POST'));

export const getSettings = (): Promise<Settings> => json('/api/settings');

/** What the settings say of themselves: names, limits, defaults. */
export const getSettingsSchema = (): Promise<Json> => json('/api/settings/schema');

/** Changes settings by a JSON Merge Patch and gives all that are in force then. */
export const patchSettings = (patch: unknown): Promise<Settings> => json('/api/settings', send('PATCH', patch));

export const shutdown = async (): Promise<void> => void (await request('/api/shutdown', send('POST')));

/** Logs this browser in with the admin token. */
export const login = async (secret: { token: string }): Promise<void> =>
  void (await request('/api/session', send('POST', secret)));

export const logout = async (): Promise<void> => void (await request('/api/session', send('DELETE')));

/** What lies on this machine: models, what cannot be loaded, and where was looked. */
export const getModelList = (): Promise<ModelList> => json('/api/models');

/** The models on this machine. */
export const getLocalModels = async (): Promise<LocalModel[]> => (await getModelList()).models;

/** The models that the gateway answers for. */
export async function getModels(): Promise<ModelName[]> {
  const list = await json<{ data: { id: string; owned_by: string }[] }>('/v1/models');
  return list.data.map(({ id, owned_by }) => ({ id, local: owned_by === 'mlxbar', provider: owned_by }));
}

/** How tools are pointed at the server, with a model filled in; without one the server names one. */
export const getConnect = (model: string, signal: AbortSignal | null = null): Promise<Connect> =>
  json(`/api/connect?${new URLSearchParams(model ? { model } : {})}`, { signal });

/** Has the server ask as a tool does. That it fails is an answer too. */
export const checkTool = (what: CheckRequest, signal: AbortSignal): Promise<CheckResult> =>
  json('/api/connect/check', { ...send('POST', what), signal });

/** What left this machine and what it cost, by the days that period chooses: from, to and zone. */
export const getLedger = (period: Record<string, string>): Promise<Ledger> => json(`/api/ledger?${new URLSearchParams(period)}`);

/** What providers charge. */
export const getPrices = (): Promise<PriceList> => json('/api/prices');

/** Where a browser downloads something from; how that ends is told by the live event export with the same watch. */
export const exportAddress = (what: Exportable, format: ExportFormat, filter: Record<string, string>, watch: string): string =>
  `/api/${what}/export?${new URLSearchParams({ format, ...filter, watch })}`;

/** Kept results of benchmarks, newest first, from those before an id on; and the benchmark that runs, or was the last one. */
export const getBenchmarks = (limit: number, before = 0): Promise<BenchmarkList> =>
  json(`/api/benchmarks?${new URLSearchParams({ limit: String(limit), ...(before > 0 ? { before: String(before) } : {}) })}`);

const benchmark = (id: number): string => `/api/benchmarks/${id}`;

/** A results file with every request's own times. */
export const getBenchmark = (id: number, signal: AbortSignal | null = null): Promise<BenchmarkFile> => json(benchmark(id), { signal });

/** The same, byte for byte as it was kept. */
export const getBenchmarkText = async (id: number): Promise<string> => (await request(benchmark(id))).text();

/** Keeps a results file; added is false for one that is kept already. */
export async function addBenchmark(file: Blob): Promise<{ id: number; added: boolean }> {
  const response = await request('/api/benchmarks', { method: 'POST', body: file, headers: { 'Content-Type': 'application/json' } });
  return { id: ((await response.json()) as { id: number }).id, added: response.status === 201 };
}

export const renameBenchmark = async (id: number, label: string): Promise<void> => void (await request(benchmark(id), send('PATCH', { label })));

/** Takes results out of sight; for ten seconds they can be had back. */
export const deleteBenchmark = async (id: number): Promise<void> => void (await request(benchmark(id), send('DELETE')));

export const undeleteBenchmark = async (id: number): Promise<void> => void (await request(`${benchmark(id)}/undelete`, send('POST')));

export const startBenchmark = (what: BenchmarkRequest): Promise<BenchmarkJob> => json('/api/benchmarks/job', send('POST', what));

/** Ends the benchmark that runs; what it has measured is kept. */
export const stopBenchmark = (): Promise<BenchmarkJob> => json('/api/benchmarks/job', send('DELETE'));

/** Where a request for a model would go at this moment, by what is saved. */
export const explainRoute = (model: string): Promise<RoutePlan> => json(`/api/routes/explain?${new URLSearchParams({ model })}`);

/** The API keys that were given out, the oldest first. */
export const getKeys = async (): Promise<AccessKey[]> => (await json<{ keys: AccessKey[] }>('/api/keys')).keys;

/** Makes a key; its secret is told this once. */
export const createKey = (what: KeyRequest): Promise<NewKey> => json('/api/keys', send('POST', what));

const accessKey = (id: string): string => `/api/keys/${encodeURIComponent(id)}`;

export const changeKey = async (id: string, what: KeyRequest): Promise<void> => void (await request(accessKey(id), send('PUT', what)));

/** Takes a key back: it is of no use at once. For ten seconds it can be had back. */
export const revokeKey = async (id: string): Promise<void> => void (await request(accessKey(id), send('DELETE')));

export const restoreKey = async (id: string): Promise<void> => void (await request(`${accessKey(id)}/undelete`, send('POST')));

/** The providers that are saved, with the state of their keys. */
export const getProviders = async (): Promise<ProviderState[]> => (await json<{ providers: ProviderState[] }>('/api/providers')).providers;

/** Other programs that serve models on this machine, and that no saved provider leads to. */
export const getNearby = async (): Promise<NearbyServer[]> => (await json<{ servers: NearbyServer[] }>('/api/providers/nearby')).servers;

const provider = (name: string): string => `/api/providers/${encodeURIComponent(name)}`;

/** Puts a provider's key into the keychain; the settings then say that it is there. */
export const setProviderKey = async (name: string, key: string): Promise<void> => void (await request(`${provider(name)}/key`, send('PUT', { key })));

/** Takes a provider's key out of the keychain. It cannot be had back; it is sent though the page is being left. */
export const removeProviderKey = (name: string): Promise<KeyRemoval> => json(`${provider(name)}/key`, { ...send('DELETE'), keepalive: true });

/** Asks a provider for its models, to see whether it can be asked. */
export const testProvider = (name: string): Promise<ProviderTest> => json(`${provider(name)}/test`, send('POST'));
