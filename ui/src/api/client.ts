/** The console's only door to the REST API. */

export class ApiError extends Error {
  readonly status: number;
  readonly field: string | undefined;
  readonly position: number | undefined;
  readonly suggestion: string | undefined;

  constructor(status: number, problem: Problem) {
    super(problem.detail ?? problem.title ?? `The server answered ${status}.`);
    this.status = status;
    this.field = problem.field ?? undefined;
    this.position = problem.position ?? undefined;
    this.suggestion = problem.suggestion ?? undefined;
  }
}

/** RFC 9457, with what Vedette adds. */
interface Problem {
  title?: string;
  detail?: string;
  field?: string | null;
  position?: number | null;
  suggestion?: string | null;
}

type Params = Record<string, string | number | undefined>;

export async function get<T>(path: string, params: Params = {}, signal?: AbortSignal): Promise<T> {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) if (value !== undefined) query.set(name, String(value));
  const search = query.size > 0 ? `?${query.toString()}` : "";
  const response = await fetch(`/api/v1/${path}${search}`, {
    headers: { Accept: "application/json" },
    ...(signal ? { signal } : {}),
  });
  if (!response.ok) throw new ApiError(response.status, await problemOf(response));
  return (await response.json()) as T;
}

async function problemOf(response: Response): Promise<Problem> {
  try {
    const body: unknown = await response.json();
    return typeof body === "object" && body !== null ? body : {};
  } catch {
    return {};
  }
}
