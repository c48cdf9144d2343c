/// <reference types="node" preserve="true" />
/**
 * The public API of `keepline/undici`.
 */

export type {
  ClientDispatcher,
  Dispatcher,
  DispatcherBounds,
  DispatcherCallback,
} from "./dispatcher.ts";
export { DispatchError } from "./errors.ts";
export type {
  Dispatch,
  DispatchBody,
  DispatchController,
  DispatchHandler,
  DispatchHeaders,
  DispatchHeaderValue,
  DispatchInterceptor,
  DispatchOptions,
  ParsedHeaders,
} from "./handlers.ts";
export { install } from "./install.ts";
export { asDispatcher, dispatcherFor } from "./mixin.ts";
