const grouped = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** `4,812` */
export function count(value: number): string {
  return grouped.format(value);
}

/** `4,812`, `4.2`, `0`: a rate keeps one digit while it is small. */
export function rate(value: number): string {
  return value > 0 && value < 9.95 ? value.toFixed(1).replace(/\.0$/, "") : grouped.format(value);
}

export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** `38 ms`, `1.2 s` */
export function milliseconds(value: number): string {
  return value < 1_000 ? `${Math.round(value)} ms` : `${(value / 1_000).toFixed(1)} s`;
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"] as const;

/** `512 B`, `3.4 MiB` */
export function bytes(value: number): string {
  let unit = 0;
  let left = value;
  while (left >= 1_024 && unit < UNITS.length - 1) {
    left /= 1_024;
    unit += 1;
  }
  return `${unit === 0 || left >= 100 ? Math.round(left) : left.toFixed(1)} ${UNITS[unit] ?? ""}`;
}
