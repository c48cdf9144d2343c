/// <reference types="node" preserve="true" />
/**
 * The public API of `keepline`.
 */

export type { ResponseBody } from "./client/body.ts";
export { Client, type ClientEvents } from "./client/client.ts";
export type {
  ClientOptions,
  LiveOptions,
  RequestTimeouts,
  ResolvedOptions,
} from "./client/options.ts";
export type { RequestOptions } from "./client/request.ts";
export type { BodyInput, BodyStream } from "./client/request-body.ts";
export type {
  ClientResponse,
  ConnectionFacts,
  ResponseHeaders,
  Timings,
} from "./client/response.ts";
export { ClientLane, ClientService } from "./client/service.ts";
export type {
  LaneRequest,
  LiveServiceOptions,
  ServiceOptions,
  ServiceSettings,
} from "./client/service-options.ts";
export type { Query } from "./client/target.ts";
export type { Msecs } from "./core/clock.ts";
export {
  BodyTimeoutError,
  ClientClosedError,
  ConnectError,
  ConnectTimeoutError,
  type ErrorContext,
  HeadersTimeoutError,
  InvalidOptionError,
  InvalidRequestError,
  KeeplineError,
  type PoolCounts,
  QueueFullError,
  QueueTimeoutError,
  RequestTimeoutError,
  ResponseParseError,
  SocketClosedError,
} from "./core/errors.ts";
export type { DurationSummary } from "./core/histogram.ts";
export type { IdleClosing } from "./core/idle-history.ts";
export type { LaneOptions, Overload } from "./core/lane-options.ts";
export type { Extent, LaneHighs, MarkedCounts } from "./core/marks.ts";
export type { CoreOptions, PoolOptions } from "./core/options.ts";
export type { OriginPattern } from "./core/origin-pattern.ts";
export type { ResendMode } from "./core/resend.ts";
export type { RetireReason } from "./core/retire.ts";
export type { Saturation } from "./core/saturation.ts";
export type { TunedOption, TuningChange, TuningOutcome } from "./core/tuner.ts";
export type {
  Bounds,
  Tuning,
  TuningMode,
  TuningOptions,
  TuningWeights,
} from "./core/tuning-options.ts";
export type { HeaderFields, HeaderValue } from "./http1/request-head.ts";
export type { ClientClock, ClockTimer } from "./net/clock.ts";
export type { ConnectOptions, TlsOptions } from "./net/connect-options.ts";
export type {
  ConnectionDialing,
  ConnectionIdle,
  ConnectionMessage,
  ConnectionOpen,
  ConnectionRetired,
  ErrorSummary,
  EventMessage,
  EventName,
  KeeplineEvents,
  LaneMessage,
  RequestCreated,
  RequestEnd,
  RequestFailed,
  RequestGranted,
  RequestHead,
  RequestLeaked,
  RequestMessage,
  RequestQueued,
  RequestResend,
  RequestSent,
  ServiceTuned,
} from "./observe/messages.ts";
export type {
  ClientStats,
  IdleWindowStats,
  LaneHighWater,
  LaneStats,
  LaneTimings,
  LaneTotals,
  LeakStats,
  OriginStats,
  PoolTimings,
  PoolTotals,
  ServiceStats,
  SocketCounts,
  TuningStats,
} from "./observe/stats.ts";
export type {
  MarkedStats,
  OriginMarks,
  ServiceMarks,
  StatsReader,
} from "./observe/stats-reader.ts";
export { type EventListeners, subscribe } from "./observe/subscribe.ts";
export type { Agent, HttpsAgent } from "./surfaces/agent/agent.ts";
export type { AgentPart } from "./surfaces/agent/part.ts";
