"""Pure functions from data to Plotly figures; no Streamlit here."""
