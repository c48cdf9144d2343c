/**
 * The numbers behind a chart, for those who do not see it and those who want to know.
 */
import { Scroll } from "./scroll.tsx";

interface Row {
  /** What tells it from others, whose name may be the same. */
  readonly key: number;
  readonly name: string;
  /** Under each label, as it is to be shown. */
  readonly values: readonly string[];
}

interface Props {
  /** Of the chart. */
  readonly title: string;
  /** What the rows are by. */
  readonly by: string;
  /** One for each line of the chart; all differ. */
  readonly labels: readonly string[];
  readonly rows: readonly Row[];
}

export function Numbers({ title, by, labels, rows }: Props) {
  return (
    <details class="behind">
      <summary>
        Numbers<span class="hidden"> of {title}</span>
      </summary>
      <Scroll label={`Numbers of ${title}`}>
        <table>
          <thead>
            <tr>
              <th scope="col">{by}</th>
              {labels.map((label) => (
                <th key={label} scope="col">
                  {label}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map(({ key, name, values }) => (
              <tr key={key}>
                <th scope="row">{name}</th>
                {values.map((value, column) => (
                  <td key={labels[column]}>{value}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </details>
  );
}
