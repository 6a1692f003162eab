/** The style of report.html: one page, light and dark, readable on paper too. */

export const pageStyle = `
:root{--ink:#1c2733;--soft:#5a6b7b;--line:#d8e0e8;--paper:#f5f7f9;--card:#fff;--good:#2f9e6e;--goodfill:#d8f0e4;
--bad:#c92a2a;--badfill:#ffd9d9;--gone:#8a6d1f;--gonefill:#fff1c9;--wait:#4c6ef5;--waitfill:#e1e8ff;color-scheme:light dark}
@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9fb0c0;--line:#33404d;--paper:#11171d;--card:#1a222b;
--good:#57c795;--goodfill:#173d2d;--bad:#ff7b7b;--badfill:#521d1d;--gone:#e3bf5b;--gonefill:#463a14;--wait:#91a7ff;--waitfill:#22305e}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:1040px;margin:0 auto;padding:32px 24px 48px}
header,section{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:24px 28px;margin:0 0 20px}
header{border-left:8px solid var(--good)}header.found{border-left-color:var(--bad)}
.kicker{margin:0;color:var(--soft);letter-spacing:.06em;text-transform:uppercase;font-size:12px}
h1{margin:2px 0 10px;font-size:30px;line-height:1.2}h2{margin:0 0 14px;font-size:20px}h3{margin:0 0 6px;font-size:17px}
h4{margin:16px 0 4px;font-size:12px;letter-spacing:.05em;text-transform:uppercase;color:var(--soft)}
p{margin:0 0 8px}code{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;overflow-wrap:anywhere}
.summary{list-style:none;display:flex;flex-wrap:wrap;gap:8px;padding:0;margin:0 0 14px}
.summary li{background:var(--badfill);border-radius:999px;padding:2px 12px}.summary b{margin-left:8px}
.facts{display:flex;flex-wrap:wrap;gap:28px;margin:14px 0 8px}.facts dt{color:var(--soft);font-size:12px}
.facts dd{margin:0;font-size:22px;font-variant-numeric:tabular-nums}.chain-id,.note,footer{color:var(--soft);font-size:13px;margin:0}
.picture{display:block;width:100%;height:auto;margin:0 0 10px}
.picture text{font:11px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;fill:var(--ink)}
.picture .in,.picture .below{text-anchor:middle}.picture .below{fill:var(--soft)}
.block rect,.strip{stroke-width:1.5}.block.good rect,.strip.good{fill:var(--goodfill);stroke:var(--good)}
.block.broken rect{fill:var(--badfill);stroke:var(--bad);stroke-width:2.5}.block.unchecked rect{fill:var(--waitfill);stroke:var(--wait)}
.block.missing rect,.strip.missing{fill:var(--gonefill);stroke:var(--gone);stroke-dasharray:4 3}
.block.erased rect,.strip.erased{fill:none;stroke:var(--soft);stroke-dasharray:2 3}
.mark{stroke:var(--bad);stroke-width:2.5;fill:none}.link{stroke:var(--soft);stroke-width:1.5}
.chunks{stroke:var(--good);stroke-width:.6;opacity:.55;fill:none}
.picture .bad{fill:var(--bad);stroke:var(--card);stroke-width:.5}.picture .excess{fill:var(--wait)}
.legend{display:flex;flex-wrap:wrap;gap:18px;font-size:13px;margin:6px 0}
.legend span::before{content:"";display:inline-block;width:14px;height:14px;border-radius:3px;margin-right:6px;vertical-align:-2px;border:1.5px solid}
.legend .good::before{background:var(--goodfill);border-color:var(--good)}.legend .broken::before{background:var(--bad);border-color:var(--bad)}
.legend .missing::before{background:var(--gonefill);border:1.5px dashed var(--gone)}.legend .unchecked::before{background:var(--waitfill);border-color:var(--wait)}
.legend .excess::before{background:var(--wait);border-color:var(--wait)}
article{border-top:1px solid var(--line);padding:18px 0}article:last-child{padding-bottom:0}
.number{display:inline-block;min-width:26px;height:26px;line-height:26px;text-align:center;border-radius:50%;background:var(--bad);color:var(--card);font-size:13px;margin-right:10px}
.kind{color:var(--soft);font-weight:400;margin-left:6px}.detail{font-size:16px}.detail::first-letter{text-transform:uppercase}.where{color:var(--soft);overflow-wrap:anywhere;font-size:13px}
.times{padding:0;margin:0;list-style:none}.times b{display:inline-block;min-width:58px;font-size:12px;text-transform:uppercase}
.times .proved b{color:var(--good)}.times .likely b{color:var(--wait)}.times .hint{color:var(--soft)}
table{border-collapse:collapse;width:100%;font-size:13px}th{text-align:left;color:var(--soft);font-weight:400}
th,td{border-bottom:1px solid var(--line);padding:5px 12px 5px 0;vertical-align:top}td:nth-child(-n+3){white-space:nowrap}
.remedy{background:var(--goodfill);border-radius:8px;padding:8px 12px}.good-copy{margin:0 0 6px}
footer{padding:0 4px}
@media print{body{background:#fff}header,section{break-inside:avoid;border-color:#bbb}}
`;
