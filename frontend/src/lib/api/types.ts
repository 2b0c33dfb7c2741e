// What the admin API sends and takes. See /api/openapi.json.

export type RequestStatus = 'running' | 'success' | 'error' | 'timeout' | 'cancelled' | 'interrupted';
export type Backend = 'LOCAL' | 'OPENAI' | 'ANTHROPIC';

export interface AuditRecord {
  id: number;
  request_id: string;
  started_at: string;
  model: string;
  served_model: string;
  backend: Backend;
  provider: string;
  endpoint: string;
  stream: boolean;
  duration_ms: number | null;
  ttft_ms: number | null;
  status: RequestStatus;
  http_status: number | null;
  error_type: string;
  prompt_tokens: number | null;
  completion_tokens: number | null;
  total_tokens: number | null;
  cached_tokens: number | null;
  prompt_ms: number | null;
  generation_ms: number | null;
  attempts: number;
  client: string;
  key_id: string;
  cost_usd: number | null;
}

export interface AuditPage {
  records: AuditRecord[];
  next: string;
}

export type EngineState = 'idle' | 'installing' | 'loading' | 'ready' | 'failed';

export interface EngineStatus {
  model: string;
  engine: string;
  state: EngineState;
  detail: string;
  pid: number;
  memory_bytes: number;
  in_flight: number;
}

export interface Health {
  ok: boolean;
  problem: string;
}

export interface Status {
  version: string;
  pid: number;
  started_at: string;
  addr: string;
  url: string;
  state: 'running' | 'draining';
  audit: Health;
  settings: Health;
  engines: EngineStatus[];
  in_flight: number;
}

/** A problem document, RFC 9457. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  request_id?: string;
}

export type ExportFormat = 'csv' | 'jsonl';
