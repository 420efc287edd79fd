// The dashboard sink's JSON interface. Addresses are relative, so the page also works below a proxy's path.

/** The sink wants a token that this browser does not have. */
export class Unauthorized extends Error {}

/** GETs a path below api/v1 with repeated parameters. @returns {Promise<any>} */
export async function get(path, parameters = [], signal = AbortSignal.timeout(8000)) {
  const query = new URLSearchParams(parameters).toString();
  const response = await fetch(`api/v1/${path}${query && "?"}${query}`, { signal, cache: "no-store" });
  if (response.status === 401) throw new Unauthorized();
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return response.json();
}
