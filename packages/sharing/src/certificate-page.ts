/** A certificate of erasure as one page that needs nothing else, to print and to file: no script, no external resource. */
import type { Certificate } from "./certificate.ts";
import { escaped, short } from "./forensics/markup.ts";
import { pageStyle } from "./forensics/style.ts";

const tableStyle = `
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:6px 12px 6px 0;border-bottom:1px solid var(--line);vertical-align:top}
th{color:var(--soft);font-size:12px;text-transform:uppercase;letter-spacing:.05em}`;

export function certificatePage({
  recordId,
  chainId,
  erased,
  certified,
  copies,
  limits,
}: Certificate): string {
  const sound = copies.length > 0 && copies.every(({ valid }) => valid);
  const rows = copies.map(
    ({ copy, holder, valid }) =>
      `<tr><td><code>${escaped(copy)}</code></td><td>${short(holder, 20)}</td><td>${valid ? "holds" : "does not hold"}</td></tr>`,
  );
  const fact = (name: string, value: string): string => `<tr><th>${name}</th><td>${value}</td></tr>`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Certificate of erasure</title>
<style>${pageStyle}${tableStyle}</style>
</head>
<body>
<main>
<header class="${sound ? "sound" : "found"}">
<p class="kicker">Chartseal</p>
<h1>Certificate of erasure</h1>
<table>
${fact("record", `<code>${escaped(recordId)}</code>`)}
${fact("erased", `${escaped(erased.time)}, block ${erased.height}, by ${short(erased.by, 20)}`)}
${fact("certified", `${escaped(certified.time)}, block ${certified.height}`)}
${fact("chain", short(chainId, 24))}
</table>
</header>
<section>
<h2>Copies destroyed</h2>
<table>
<tr><th>copy</th><th>signed by</th><th>signature</th></tr>
${rows.join("\n")}
</table>
</section>
<section>
<h2>What this does not promise</h2>
<ul>${limits.map((limit) => `<li>${escaped(limit)}</li>`).join("")}</ul>
</section>
<footer>The ledger holds the erasure (${short(erased.transaction)}) and this certificate (${short(certified.transaction)}) for good.</footer>
</main>
</body>
</html>
`;
}
