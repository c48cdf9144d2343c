/**
 * A client by its name, with the colour that its lines have.
 */

const colours = ["--one", "--two", "--three"] as const;

/** The colour in the style sheet of the client at such a place among those that are compared, or of one of several lines. */
export function colourAt(place: number): string {
  return colours[place % colours.length] as string;
}

interface Props {
  readonly name: string;
  /** Of the client among those that are compared; null where there is one alone. */
  readonly place: number | null;
}

export function Swatch({ name, place }: Props) {
  return (
    <>
      {place !== null && (
        <i class="swatch" aria-hidden="true" style={{ background: `var(${colourAt(place)})` }} />
      )}
      {name}
    </>
  );
}
