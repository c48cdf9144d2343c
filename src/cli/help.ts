/**
 * The text of `--help`, made from the table of commands.
 */
import type { Command } from "./command.ts";
import { indent, type Looks, table, wrap } from "./text.ts";

const twoColumns = [
  { title: "", align: "left" },
  { title: "", align: "left" },
] as const;

/** All commands in one line each. */
export function overview(commands: readonly Command[], looks: Looks): string[] {
  return [
    "keepline: HTTP keep-alive connections for Node.js",
    "",
    ...section("Usage", ["keepline COMMAND [OPTIONS]"], looks),
    ...section(
      "Commands",
      pairs(
        commands.map(({ name, summary }) => [name, summary]),
        looks,
      ),
      looks,
    ),
    ...section(
      "Options",
      pairs(
        [
          ["--help", "show this, or after a command its own help"],
          ["--version", "print the version"],
        ],
        looks,
      ),
      looks,
    ),
    ...section(
      "Examples",
      exampleLines(commands.flatMap((each) => each.examples.slice(0, 1))),
      looks,
    ),
  ].slice(0, -1);
}

/** Everything about one command. */
export function helpOf(command: Command, looks: Looks): string[] {
  const options = Object.entries(command.options).map(([name, { value, doc, short }]) => [
    `${short === undefined ? "" : `-${short}, `}--${name}${value === null ? "" : ` ${value}`}`,
    doc,
  ]);
  return [
    `keepline ${command.name}: ${command.summary}`,
    "",
    ...section("Usage", [`keepline ${command.name} ${command.usage}`.trimEnd()], looks),
    ...(options.length === 0 ? [] : section("Options", pairs(options, looks), looks)),
    ...section("Examples", exampleLines(command.examples), looks),
    ...command.notes.flatMap((note) => [...wrap(note, Math.min(looks.width, 80)), ""]),
  ].slice(0, -1);
}

function section(title: string, lines: readonly string[], looks: Looks): string[] {
  return [looks.paint("bold", `${title}:`), ...indent(lines, 2), ""];
}

function pairs(rows: readonly (readonly string[])[], looks: Looks): string[] {
  return table(twoColumns, rows, looks);
}

function exampleLines(examples: Command["examples"]): string[] {
  return examples.flatMap(([line, meaning]) => [line, `    ${meaning}`]);
}
