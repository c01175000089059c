extension ReportPage {
    /// The page's whole style. Colours have a contrast of at least 4.5 to what is behind them, in both schemes.
    static let style = """
        :root{color-scheme:light dark;--page:#fff;--card:#f6f8fa;--text:#1b1f24;--quiet:#505a64;--line:#c8d0d8;\
        --bar:#0a5bb5;--good:#18703a;--wait:#8a5a00;--bad:#a8201a;--bartext:#fff}
        @media (prefers-color-scheme:dark){:root{--page:#0f1318;--card:#181e25;--text:#e6edf3;--quiet:#a3b0bd;--line:#39434e;\
        --bar:#6cb6ff;--good:#57c26d;--wait:#d9ae3c;--bad:#ff8f86;--bartext:#0f1318}}
        *{box-sizing:border-box}
        body{margin:0 auto;max-width:70rem;padding:1rem;background:var(--page);color:var(--text);\
        font:1rem/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
        h1{font-size:1.6rem;margin:0}h2{font-size:1.15rem;margin:0 0 .5rem}
        p{margin:.25rem 0 .75rem}.quiet{color:var(--quiet)}
        section{background:var(--card);border:1px solid var(--line);border-radius:.5rem;padding:1rem;margin:1rem 0}
        .grid{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,20rem),1fr));gap:0 1rem}
        .tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(8.5rem,1fr));gap:.75rem;margin:1rem 0 0}
        .tile{border:1px solid var(--line);border-radius:.5rem;padding:.6rem .8rem;background:var(--card)}
        .tile b{display:block;font-size:1.5rem;line-height:1.2}.good b{color:var(--good)}.wait b{color:var(--wait)}\
        .bad b{color:var(--bad)}
        .row{display:grid;grid-template-columns:minmax(5rem,9rem) 1fr minmax(3.5rem,auto);gap:.6rem;align-items:center;\
        margin:.2rem 0}.row>:last-child{text-align:right}
        .track{height:.85rem;background:var(--page);border:1px solid var(--line);border-radius:.2rem}
        .fill{display:block;height:100%;background:var(--bar)}.fill.late{background:var(--bad)}
        svg{display:block;width:100%;height:6rem;background:var(--page);border:1px solid var(--line)}svg rect{fill:var(--bar)}
        svg line{stroke:var(--bad);stroke-width:2;vector-effect:non-scaling-stroke;stroke-dasharray:6 4}
        .axis{display:flex;justify-content:space-between;color:var(--quiet);font-size:.85rem}
        .wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.92rem;overflow-wrap:break-word}
        th,td{text-align:left;vertical-align:top;padding:.35rem .6rem .35rem 0;border-top:1px solid var(--line)}
        th{color:var(--quiet);font-weight:600}td.n,th.n{text-align:right;white-space:nowrap}
        td:first-child{min-width:11rem;overflow-wrap:anywhere}td.t{min-width:13rem}code{font:.9em ui-monospace,monospace}
        @media print{section{break-inside:avoid}}
        """
}
