"""Charts as SVG text, made by pure functions; colours come from the page's style sheet by class name."""
