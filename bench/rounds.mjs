// Turns and what is made of them: medians with the least and the most, and ratios within a round, so that both
// sides of a ratio saw the same machine.

import { say } from "./processes.mjs";

/**
 * Lets `runners`, each `{ name, ask(round) }`, answer once a round, one after the other. Returns their answers, a list
 * for each. Round 0 warms caches and compilers and is not counted.
 */
export async function takeTurns(rounds, runners) {
  const answers = runners.map(() => []);
  for (let round = 0; round <= rounds; round++) {
    for (const [index, { name, ask }] of runners.entries()) {
      say(`round ${round}/${rounds}: ${name}`);
      const answer = await ask(round);
      if (round > 0) answers[index].push(answer);
    }
  }
  return answers;
}

/** Median, least and most of `numbers`. */
export const spread = (numbers) => ({
  median: numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)],
  min: Math.min(...numbers),
  max: Math.max(...numbers),
});

/** The spread of `key` in the answers of one runner. */
export const spreadOf = (answers, key) => spread(answers.map((each) => each[key]));

/** The spread of the ratios between `key` in `answers` and in `others`, round by round. */
export const ratioOf = (answers, others, key) =>
  spread(answers.map((each, round) => each[key] / others[round][key]));
