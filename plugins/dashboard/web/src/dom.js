// Small helpers over the DOM. Everything that comes from data goes through textContent or an attribute, never markup.

const SVG = "http://www.w3.org/2000/svg";

/** @param {string} id @returns {any} the element, which index.html has */
export const byId = (id) => document.getElementById(id);

/**
 * Makes an element. @param {string} tag @param {Record<string, string>} [attributes] @param {...(Node | string)} children
 * @returns {any}
 */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** As element(), in SVG. @returns {any} */
export function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** One of the symbols of index.html, for the eye only. */
export function icon(name) {
  return svg("svg", { class: "icon", "aria-hidden": "true" }, svg("use", { href: `#i-${name}` }));
}

/** Changes an icon() to another symbol. */
export function setIcon(made, name) {
  setAttribute(made.firstChild, "href", `#i-${name}`);
}

/** Sets a text only where it differs: an equal text would still cost a layout. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function setAttribute(node, name, value) {
  if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

/** Marks the pressed one of a group of toggle buttons. @param {NodeListOf<Element>} buttons */
export function press(buttons, attribute, value) {
  for (const button of buttons) setAttribute(button, "aria-pressed", String(button.getAttribute(attribute) === value));
}
