// The names by which the pages speak of what the admin API sends and takes. The shapes are the
// server's own: schema.ts is made from its OpenAPI description (`npm run api`).
import type { components } from './schema';

type Schemas = components['schemas'];

export type AuditRecord = Schemas['AuditRecord'];
export type AuditPage = Schemas['AuditPage'];
export type Deleted = Schemas['AuditDeletion'];
export type Restored = Schemas['RestoredOutputBody'];
export type Backend = AuditRecord['backend'];
export type RequestStatus = AuditRecord['status'];
export type EngineStatus = Schemas['EngineStatus'];
export type EngineState = EngineStatus['state'];
export type LocalModel = Schemas['Model'];
export type ModelList = Schemas['ModelList'];
export type BrokenModel = Schemas['BrokenModel'];
export type RemovedModel = Schemas['RemovedModel'];
export type DownloadJob = Schemas['DownloadJob'];
export type DownloadRequest = Omit<Schemas['DownloadRequest'], '$schema'>;
/** A repository that a search of the Hub found, what it holds, and one of these. */
export type HubFound = Schemas['HubFound'];
export type HubFiles = Schemas['HubFiles'];
export type HubOffer = Schemas['HubOffer'];
export type Health = Schemas['Health'];
export type Status = Schemas['Status'];
type Document = Schemas['ProblemDocument'];
/** What the pages show of a problem document (RFC 9457), the server's or one of their own. */
export type Problem = Pick<Document, 'type' | 'title' | 'status' | 'detail'> & Partial<Pick<Document, 'request_id' | 'errors'>>;
export type ProblemField = Schemas['ProblemField'];

export type AuditStats = Schemas['AuditStats'];
export type Activity = Schemas['Activity'];
export type ActivityEvent = Schemas['ActivityEvent'];
export type RunningRequest = Activity['running'][number];

/** All members are there in what the server sends: it fills in the defaults. */
type Whole<T> = T extends readonly unknown[] ? T : T extends object ? { [K in keyof T]-?: Whole<NonNullable<T[K]>> } : T;
export type Settings = Whole<Omit<Schemas['Settings'], '$schema'>>;

export type Connect = Schemas['Connect'];
export type ConnectTool = Schemas['ConnectTool'];
export type ConnectSnippet = Schemas['ConnectSnippet'];
export type CheckRequest = Omit<Schemas['CheckRequest'], '$schema'>;
export type CheckResult = Schemas['ConnectResult'];

export type ExportEvent = Schemas['ExportEvent'];
export type ExportFormat = 'csv' | 'jsonl';
/** What there is to export. */
export type Exportable = 'audit' | 'ledger';

export type Ledger = Schemas['LedgerReport'];
export type LedgerLine = Schemas['LedgerLine'];
export type LedgerSum = Ledger['left'];
export type PriceList = Schemas['PriceList'];
export type Price = PriceList['own'][number];

export type BenchmarkRun = Schemas['BenchmarkRun'];
export type BenchmarkList = Schemas['BenchmarkList'];
export type BenchmarkJob = Schemas['BenchmarkJob'];
export type BenchmarkRequest = Omit<Schemas['BenchmarkRequest'], '$schema'>;
/** A case as the list of runs has it; a whole file's has samples beside it. */
export type BenchmarkCase = BenchmarkRun['cases'][number];
export type BenchmarkFile = Schemas['BenchmarkFile'];
export type BenchmarkSample = NonNullable<BenchmarkFile['cases'][number]['samples']>[number];
export type Distribution = Schemas['BenchDistribution'];
export type Estimate = Schemas['BenchEstimate'];

export type RoutePlan = Schemas['RoutePlan'];
export type AccessKey = Schemas['AccessKey'];
export type NewKey = Schemas['NewKey'];
export type KeyRequest = Schemas['KeyRequest'];
/** A provider as it is now: where its key is, and what of it is left alone. */
export type ProviderState = Schemas['Provider'];
export type NearbyServer = Schemas['NearbyServer'];
export type ProviderTest = Schemas['ProviderTest'];

/** Where a key or token is, and whether it is there. */
export type SecretState = Schemas['SecretState'];

export type HubTokenTest = Schemas['HubTokenTest'];
export type KeyRemoval = Schemas['KeyRemoval'];
