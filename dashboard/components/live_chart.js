/* Draws a Plotly figure in place, so that the viewer's zoom and pan outlive new data: Streamlit's own chart element
   starts anew whenever its figure changes. A clicked point goes back as its customdata's first entry, the trial. */

let loading;

function plotly(source) {
  if (window.Plotly) return Promise.resolve(window.Plotly);
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = source;
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => {
      loading = undefined;
      reject(new Error("its library did not load; reload the page"));
    };
    document.head.append(script);
  });
  return loading;
}

export default function ({ data, parentElement, setTriggerValue }) {
  const box = parentElement.querySelector(".live-chart");
  const figure = JSON.parse(data.figure);
  figure.layout.uirevision = data.view;
  box.style.minHeight = `${figure.layout.height ?? 380}px`;
  box.setAttribute("role", "img");
  box.setAttribute("aria-label", data.alt);
  box.chosen = (number) => setTriggerValue("clicked", number);
  plotly(data.source)
    .then((Plotly) => Plotly.react(box, figure.data, figure.layout, { ...data.config, responsive: true }))
    .then(() => {
      if (box.listens) return;
      box.listens = true;
      box.on("plotly_click", (event) => {
        const number = event.points.map((p) => [p.customdata].flat()[0]).find((n) => n !== undefined && n !== null);
        if (number !== undefined) box.chosen(number);
      });
    })
    .catch((error) => {
      box.textContent = `The chart can't be drawn: ${error.message}.`;
    });
  return () => window.Plotly?.purge(box);
}
