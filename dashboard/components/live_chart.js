/* Draws a Plotly figure in place, so that the viewer's zoom and pan outlive new data: Streamlit's own chart element
   starts anew whenever its figure changes. A clicked point goes back as its customdata's first entry, the trial. */

const views = (window.tunedeskViews ??= {}); // the viewer's axis ranges by view: they outlive the element too

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

function remember(box, change) {
  const zoomed = (views[box.view] ??= {});
  for (const axis of ["xaxis", "yaxis"]) {
    if (change[`${axis}.autorange`]) delete zoomed[axis];
    else if (Object.keys(change).some((key) => key.startsWith(`${axis}.range`))) {
      zoomed[axis] = [...box.layout[axis].range];
    }
  }
}

export default function ({ data, parentElement, setTriggerValue }) {
  const box = parentElement.querySelector(".live-chart");
  const figure = JSON.parse(data.figure);
  figure.layout.uirevision = data.view;
  for (const [axis, range] of Object.entries(views[data.view] ?? {})) {
    figure.layout[axis] = { ...figure.layout[axis], range, autorange: false };
  }
  box.view = data.view;
  box.style.minHeight = `${figure.layout.height ?? 380}px`;
  box.setAttribute("role", "img");
  box.setAttribute("aria-label", data.alt);
  box.chosen = (number) => setTriggerValue("clicked", number);
  plotly(data.source)
    .then((Plotly) => Plotly.react(box, figure.data, figure.layout, { ...data.config, responsive: true }))
    .then(() => {
      if (box.listens) return;
      box.listens = true;
      box.on("plotly_relayout", (change) => remember(box, change));
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
