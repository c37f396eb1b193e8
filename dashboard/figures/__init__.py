"""Pure functions from data to Plotly figures, one subject a file, each with a sentence that stands for its picture.

Every function takes results of engine.analysis and ``dark``; the sentence is the chart's alternative text. Usable in
a notebook as they are. No Streamlit, no store, no arithmetic that belongs to engine.analysis.
"""
