/**
 * What a command is: its text for the help, its options, and what it does.
 */
import {
  type Arguments,
  type Operand,
  type OptionTable,
  parseArguments,
  parseOptions,
  type Values,
} from "./options.ts";
import type { Terminal } from "./terminal.ts";

/** What a command works with. */
export interface Context {
  readonly terminal: Terminal;
  /** Aborts when the command is to end early; the reason is what it then rejects with. */
  readonly signal: AbortSignal;
}

/** A command. `run` rejects with what `verdict` understands. */
export interface Command {
  readonly name: string;
  /** What it does, in one line that follows its name. */
  readonly summary: string;
  /** Its arguments, to be read after its name. */
  readonly usage: string;
  readonly options: OptionTable;
  /** Command lines with what each does. */
  readonly examples: readonly (readonly [line: string, meaning: string])[];
  /** Paragraphs that end the help. */
  readonly notes: readonly string[];
  readonly run: (args: readonly string[], context: Context) => Promise<void>;
}

/** A command whose arguments are all options. */
export function optionsCommand<T extends OptionTable>(
  spec: Omit<Command, "run" | "options"> & {
    readonly options: T;
    readonly run: (given: Values<T>, context: Context) => Promise<void>;
  },
): Command {
  return { ...spec, run: (args, context) => spec.run(parseOptions(spec.options, args), context) };
}

/** A command that takes one argument beside its options. */
export function operandCommand<T extends OptionTable, V>(
  spec: Omit<Command, "run" | "options"> & {
    readonly options: T;
    readonly operand: Operand<V>;
    readonly run: (given: Arguments<T, V>, context: Context) => Promise<void>;
  },
): Command {
  const { operand, run, ...rest } = spec;
  return {
    ...rest,
    run: (args, context) => run(parseArguments(spec.options, operand, args), context),
  };
}
