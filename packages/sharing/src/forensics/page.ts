/**
 * report.html: the report as one readable page that needs nothing else: no script, no external resource. Everything that
 * came from damaged data is escaped.
 */
import type { Explained, Holder, LastGood } from "./explain.ts";
import { escaped, grouped, plural, short, time } from "./markup.ts";
import { chainPicture, recordsPicture } from "./picture.ts";
import { placesPicture } from "./places-picture.ts";
import type { ForensicsReport } from "./report.ts";
import { pageStyle } from "./style.ts";

export function reportPage(report: ForensicsReport): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Chartseal forensics: ${report.ok ? "everything holds together" : plural(report.findings.length, "finding")}</title>
<style>${pageStyle}</style>
</head>
<body>
<main>
${verdict(report)}
${chainSection(report)}
${recordSection(report)}
${placeSection(report)}
${findingSection(report)}
${repairSection(report)}
<footer>Made by <code>chartseal forensics</code> on ${time(report.createdMs)}. The same facts for programs: <code>report.json</code>.</footer>
</main>
</body>
</html>
`;
}

function verdict(report: ForensicsReport): string {
  const { ok, findings, chainId, blocks, transactions, records, objects, orphans } = report;
  const counts = new Map<string, number>();
  for (const { what } of findings) counts.set(what, (counts.get(what) ?? 0) + 1);
  const summary = [...counts].map(([what, count]) => `<li>${escaped(what)}<b>${count}</b></li>`).join("");
  const facts = [
    ["blocks", blocks],
    ["transactions", transactions],
    ["records", records],
    ["objects", objects],
    ["orphans", orphans.length],
  ] as const;
  const cells = facts.map(([name, count]) => `<div><dt>${name}</dt><dd>${grouped(count)}</dd></div>`);
  const title = ok ? "Everything holds together" : `${plural(findings.length, "finding")}`;
  return `<header class="${ok ? "sound" : "found"}">
<p class="kicker">Chartseal forensics</p>
<h1>${title}</h1>
${ok ? "<p>Every block, transaction, state root and stored object was checked and is as the ledger says.</p>" : `<ul class="summary">${summary}</ul>`}
<dl class="facts">${cells.join("")}</dl>
<p class="chain-id">chain ${chainId === null ? "unknown" : short(chainId, 24)}</p>
</header>`;
}

const legend =
  '<p class="legend"><span class="good">good</span><span class="broken">altered</span><span class="missing">missing</span>';

function chainSection({ chain, stateCheckedTo }: ForensicsReport): string {
  const picture = chainPicture(chain);
  const last = chain.at(-1)?.to ?? 0;
  const checked =
    stateCheckedTo >= last
      ? "Every state root was made again from the transactions."
      : `State roots were made again up to block ${stateCheckedTo}; what lies after an altered block is sound by itself, but the state there could not be made again.`;
  const begun = chain[0]?.from ?? 1;
  const before =
    begun > 1
      ? ` The chain here begins with a snapshot at block ${begun}; what lies before is with the others.`
      : "";
  return `<section><h2>The chain</h2>
${picture === "" ? "<p>No block could be read.</p>" : picture}
${legend}<span class="unchecked">state not checked</span></p>
<p class="note">${checked}${before}</p></section>`;
}

function recordSection({ strips, records }: ForensicsReport): string {
  if (strips.length === 0) return "<section><h2>The records</h2><p>No record is known.</p></section>";
  const rest = records - strips.length;
  const more =
    rest > 0 ? `<p class="note">${plural(rest, "more record")} without a finding not shown.</p>` : "";
  return `<section><h2>The records</h2>
${recordsPicture(strips)}
${legend}<span class="excess">bytes too many</span></p>
<p class="note">Each strip is one stored payload from its first byte to its last, cut into its chunks.</p>${more}</section>`;
}

function placeSection({ places, divided, findings }: ForensicsReport): string {
  const picture = placesPicture(places, divided);
  if (picture === "") return "";
  const silent = findings.filter(({ kind }) => kind === "place-unreachable").map(({ detail }) => detail);
  const notes = silent.map((detail) => `<p class="note">${escaped(detail)}.</p>`).join("");
  return `<section><h2>The places</h2>
${picture}
<p class="legend"><span class="good">good</span><span class="broken">wrong</span><span class="missing">missing</span><span class="unchecked">not looked at</span></p>
<p class="note">A row is one object and its shards, each at the place that should have it; 2of3 means that any two of three shards give the object back. A red line below a wrong shard stands where its wrong blocks are.</p>${notes}</section>`;
}

function findingSection({ findings, ok }: ForensicsReport): string {
  if (ok) return "";
  return `<section><h2>The findings</h2>${findings.map(findingCard).join("\n")}</section>`;
}

function findingCard(finding: Explained, at: number): string {
  const { what, kind, where, detail, remedy, goodCopy, modifiedMs } = finding;
  const hint =
    modifiedMs === undefined
      ? ""
      : `<li class="hint"><b>hint</b> The file was last written on ${time(modifiedMs)}, says the file system; whoever alters a file can set that.</li>`;
  const copy =
    goodCopy === undefined
      ? ""
      : `<p class="good-copy">A good copy lies at <code>${escaped(goodCopy)}</code>.</p>`;
  return `<article id="finding-${at + 1}">
<h3><span class="number">${at + 1}</span>${escaped(what)} <code class="kind">${kind}</code></h3>
<p class="detail">${escaped(detail)}</p>
<p class="where">${escaped(where)}</p>
<h4>Since when</h4>
<ul class="times">${finding.lastGood.map(lastGoodItem).join("")}${hint}${finding.lastGood.length === 0 ? "<li>Nothing on the ledger says when it was last good.</li>" : ""}</ul>
${holderTable(finding.holders)}
<h4>What repairs it</h4>
${copy}<p class="remedy">${escaped(remedy)}</p>
</article>`;
}

function lastGoodItem({ timestampMs, height, certainty, evidence }: LastGood): string {
  const block = height === undefined ? "" : ` (block ${height})`;
  return `<li class="${certainty}"><b>${certainty}</b> Good on ${time(timestampMs)}${block}: ${escaped(evidence)}.</li>`;
}

function holderTable(holders: readonly Holder[]): string {
  if (holders.length === 0) return "";
  const rows = holders.map(({ party, account, requestId, access, how }) => {
    const who =
      account !== undefined ? short(account) : requestId !== undefined ? `request ${short(requestId)}` : "";
    return `<tr><td>${escaped(party)}</td><td>${who}</td><td>${access}</td><td>${escaped(how)}</td></tr>`;
  });
  return `<h4>Who held access since then</h4>
<table><thead><tr><th>party</th><th>who</th><th>access</th><th>how</th></tr></thead><tbody>${rows.join("")}</tbody></table>`;
}

function repairSection({ repaired }: ForensicsReport): string {
  if (repaired.length === 0) return "";
  const items = repaired.map(({ copy, detail, recorded }) => {
    const place = copy === undefined ? "" : ` <code>${escaped(copy)}</code>`;
    const later =
      recorded === false ? "; the record's log says so with the next command that has the passphrase" : "";
    return `<li>${escaped(detail)}${place}${later}</li>`;
  });
  return `<section><h2>What was repaired</h2><ul>${items.join("")}</ul></section>`;
}
