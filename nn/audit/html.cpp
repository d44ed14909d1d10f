#include "nn/audit/html.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>

#include "autograd/number_text.hpp"

namespace nn::audit {

namespace {

constexpr const char* style = R"css(
:root { --page: #fcfcfa; --ink: #1d1f21; --soft: #6a6f73; --line: #d9d9d4; --good: #2b7a4b; --bad: #b3261e;
        --a: #2a6fb0; --b: #c7731a; --c: #7a4fa3; }
@media (prefers-color-scheme: dark) {
  :root { --page: #17191b; --ink: #e6e6e3; --soft: #9aa0a5; --line: #3a3d40; --good: #6cc58e; --bad: #ff8a80;
          --a: #7db4ea; --b: #f0a95c; --c: #c09ae6; } }
body { background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto;
       max-width: 62rem; padding: 0 1rem; }
h1 { font-size: 1.3rem; } h2 { font-size: 1.05rem; margin-top: 2rem; }
.verdict { font-size: 1.15rem; border-left: .3rem solid; padding: .4rem .8rem; }
.agrees { border-color: var(--good); } .wrong { border-color: var(--bad); }
table { border-collapse: collapse; width: 100%; }
th { text-align: left; color: var(--soft); font-weight: 500; }
td, th { border-bottom: 1px solid var(--line); padding: .25rem .6rem .25rem 0; vertical-align: top; }
.formula { font-family: "Latin Modern Math", "STIX Two Text", Cambria, Georgia, serif; font-size: 1.05rem; }
.formula i { font-style: italic; } .cause { color: var(--bad); font-size: .95rem; } .soft { color: var(--soft); }
sub, sup { font-size: .72em; line-height: 0; }
svg { display: block; max-width: 100%; height: auto; } svg text { fill: var(--ink); font: 11px system-ui, sans-serif; }
.axis { stroke: var(--line); } .curve { fill: none; stroke-width: 1.8; }
.key { display: inline-block; width: .8em; height: .8em; margin: 0 .3em 0 1em; }
)css";

std::string fixed(double value, int decimals = 1) { return autograd::fixed_text(value, decimals); }

std::string scientific(double value) { return autograd::number_text(value, 2); }

std::string escaped(const std::string& text) {
  std::string result;
  for (const char c : text)
    result += c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '&' ? "&amp;" : c == '"' ? "&quot;" : std::string(1, c);
  return result;
}

/// dzi[t+1] as δzⁱ with its step below, Whi as W with hi below.
std::string name_html(std::string name, const std::string& step) {
  std::string result;
  if (name.size() > 1 && name[0] == 'd' && !name.starts_with("direct")) {
    result = "δ";
    name.erase(0, 1);
  }
  std::string below;
  if (name.starts_with("direct_")) {
    below = name.substr(7);
    name = "ℓ";
  } else if (name.size() > 1 && std::string("Wbpz").find(name[0]) != std::string::npos) {
    below = name.substr(1);
    name.resize(1);
  } else if (name.size() == 2 && name[1] == '0') {
    below = "0";
    name.resize(1);
  }
  result += "<i>" + escaped(name) + "</i>";
  if (!below.empty() && !step.empty())
    return result + "<sup>" + escaped(below) + "</sup><sub>" + escaped(step) + "</sub>";
  return below.empty() && step.empty() ? result : result + "<sub>" + escaped(below + step) + "</sub>";
}

/// A line of a derivation as formulas are printed.
std::string formula_html(const std::string& text) {
  std::string result;
  for (std::size_t k = 0; k < text.size();) {
    const auto letter = [&](std::size_t at) {
      return at < text.size() && (std::isalnum(static_cast<unsigned char>(text[at])) || text[at] == '_');
    };
    if (letter(k) && !std::isdigit(static_cast<unsigned char>(text[k]))) {
      std::size_t end = k;
      while (letter(end)) ++end;
      std::string name = text.substr(k, end - k);
      if (end < text.size() && text[end] == '~') {
        name += "̃";  // a combining tilde
        ++end;
      }
      std::string step;
      if (end < text.size() && text[end] == '[') {
        const std::size_t close = text.find(']', end);
        if (close != std::string::npos) {
          step = text.substr(end + 1, close - end - 1);
          end = close + 1;
        }
      }
      if (name == "sum_t")
        result += "∑<sub>t</sub> ";
      else if (name == "sum_batch")
        result += "∑<sub>batch</sub> ";
      else if (name == "sigmoid")
        result += "σ";
      else if (end < text.size() && text[end] == '(')
        result += name;
      else
        result += name_html(name, step);
      k = end;
    } else if (text.compare(k, 2, "**") == 0) {
      std::size_t end = k + 2;
      while (end < text.size() && (std::isdigit(static_cast<unsigned char>(text[end])) || text[end] == '.')) ++end;
      result += "<sup>" + text.substr(k + 2, end - k - 2) + "</sup>";
      k = end;
    } else if (text.compare(k, 2, ".T") == 0) {
      result += "<sup>T</sup>";
      k += 2;
    } else {
      const char c = text[k++];
      result += c == '*' ? "⊙" : c == '@' ? "·" : c == '-' ? "−" : escaped(std::string(1, c));
    }
  }
  return result;
}

/// From red at 0 digits to green at 16.
std::string colour_of(double digits) {
  return "hsl(" + std::to_string(static_cast<int>(8.75 * std::clamp(digits, 0.0, 16.0))) + " 55% 48%)";
}

constexpr std::size_t most_columns = 400;

/// One row a term, one column a step.
std::string map_html(const Report& report, bool cumulative) {
  std::vector<const Term*> rows;
  std::size_t steps = 0;
  for (const Term& term : report.terms) {
    if (term.step_digits.size() < 2) continue;
    rows.push_back(&term);
    steps = std::max(steps, term.step_digits.size() + static_cast<std::size_t>(term.first_step) - 1);
  }
  if (rows.empty()) return "<p class=soft>The derivation has no term with a value at every step.</p>";
  const std::size_t from = steps > most_columns ? steps - most_columns : 0;
  const double width = std::clamp(820.0 / static_cast<double>(steps - from), 2.0, 26.0), left = 70, height = 20;
  const std::string wide = fixed(left + width * static_cast<double>(steps - from) + 4);
  std::string svg = "<svg class=map role=img width=" + wide + " viewBox='0 0 " + wide + " " +
                    fixed(height * static_cast<double>(rows.size()) + 22) + "'>";
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const Term& term = *rows[r];
    const double y = height * static_cast<double>(r);
    svg += "<text x=0 y=" + fixed(y + 14) + ">" + escaped(term.term) + "</text>";
    const auto& digits = cumulative ? term.cumulative_digits : term.step_digits;
    for (std::size_t k = 0; k < digits.size(); ++k) {
      const int t = term.first_step + static_cast<int>(k);
      if (t < 1 || static_cast<std::size_t>(t) <= from) continue;
      svg += "<rect x=" + fixed(left + width * static_cast<double>(static_cast<std::size_t>(t) - 1 - from)) +
             " y=" + fixed(y + 1) + " width=" + fixed(width - 0.6) + " height=" + fixed(height - 2) + " fill='" +
             colour_of(digits[k]) + "'><title>" + escaped(term.term) + ", t = " + std::to_string(t) + ": " +
             fixed(digits[k]) + " digits</title></rect>";
    }
  }
  const std::string y = fixed(height * static_cast<double>(rows.size()) + 14);
  svg += "<text x=" + fixed(left) + " y=" + y + ">t = " + std::to_string(from + 1) +
         "</text><text text-anchor=end x=" + fixed(left + width * static_cast<double>(steps - from)) + " y=" + y + ">" +
         std::to_string(steps) + "</text></svg>";
  return svg;
}

struct Line {
  std::string name, colour;
  std::vector<std::pair<double, double>> points;
};

/// Lines over a common pair of axes; y by its decimal logarithm where that is said.
std::string plot_html(const std::vector<Line>& lines, bool logarithmic, const std::string& x_name) {
  double x0 = 1e300, x1 = -1e300, y0 = 1e300, y1 = -1e300;
  const auto height_of = [&](double y) { return logarithmic ? std::log10(std::max(y, 1e-300)) : y; };
  for (const Line& line : lines)
    for (const auto& [x, y] : line.points) {
      if (logarithmic && y <= 0) continue;
      x0 = std::min(x0, x);
      x1 = std::max(x1, x);
      y0 = std::min(y0, height_of(y));
      y1 = std::max(y1, height_of(y));
    }
  if (x0 > x1) return "<p class=soft>Every value is 0.</p>";
  if (y1 - y0 < 1e-12) y1 = y0 + 1;
  const double left = 60, width = 760, top = 8, height = 180;
  const auto px = [&](double x) { return left + (x1 > x0 ? (x - x0) / (x1 - x0) : 0.5) * width; };
  const auto py = [&](double y) { return top + (y1 - height_of(y)) / (y1 - y0) * height; };
  std::string svg = "<svg class=plot role=img viewBox='0 0 840 215'><path class=axis fill=none d='M" + fixed(left) +
                    " " + fixed(top) + "v" + fixed(height) + "h" + fixed(width) + "'/>";
  const auto label = [&](double level) { return logarithmic ? scientific(std::pow(10, level)) : fixed(level, 2); };
  svg += "<text text-anchor=end x=54 y=14>" + label(y1) + "</text><text text-anchor=end x=54 y=188>" + label(y0) +
         "</text>";
  svg += "<text x=60 y=206>" + x_name + " = " + fixed(x0, 0) + "</text><text text-anchor=end x=820 y=206>" +
         fixed(x1, 0) + "</text>";
  std::string keys;
  for (const Line& line : lines) {
    std::string path;
    for (const auto& [x, y] : line.points)
      if (!logarithmic || y > 0) path += (path.empty() ? "M" : "L") + fixed(px(x)) + " " + fixed(py(y));
    svg += "<path class=curve style='stroke:var(" + line.colour + ")' d='" + path + "'/>";
    keys += "<span class=key style='background:var(" + line.colour + ")'></span>" + escaped(line.name);
  }
  return svg + "</svg><p class=soft>" + keys + "</p>";
}

std::vector<std::pair<double, double>> over_time(const std::vector<double>& values) {
  std::vector<std::pair<double, double>> points;
  for (std::size_t k = 0; k < values.size(); ++k) points.emplace_back(static_cast<double>(k + 1), values[k]);
  return points;
}

std::string flow_html(const Flow& flow) {
  std::string html = "<h2>How gradient flows back</h2>";
  std::vector<Line> norms;
  for (const auto& [name, values] : flow.norms)
    norms.push_back({"|" + name + "[t]|", name == "dh" ? "--a" : "--b", over_time(values)});
  html += plot_html(norms, true, "t");
  html += "<p>The derivative of a loss at the last step falls to 1/e within " + std::to_string(flow.memory) + " steps.";
  for (const auto& [gate, share] : flow.saturation)
    html += std::string(" Gate ") + gate + ": " + fixed(100 * share) + " % saturated.";
  html += "</p><h2>Where the gradient of each gate comes from</h2>";
  for (const auto& [name, shares] : flow.shares) {
    Line c{"through c[t+1]", "--b", {}}, h{"through h[t+1]", "--a", {}}, direct{"from the loss", "--c", {}};
    for (std::size_t k = 0; k < shares.size(); ++k) {
      const auto t = static_cast<double>(k + 1);
      c.points.emplace_back(t, shares[k].through_c);
      h.points.emplace_back(t, shares[k].through_h);
      direct.points.emplace_back(t, shares[k].direct);
    }
    html += "<p class=formula>" + name_html(name, "t") + "</p>" + plot_html({c, h, direct}, false, "t");
  }
  html +=
      "<h2>Truncation</h2><table class=truncation><tr><th>pieces of<th>cosine to the full gradient<th>relative error";
  for (const Truncation& cut : flow.truncation)
    html += "<tr><td>" + std::to_string(cut.k) + " steps<td>" + fixed(cut.cosine, 6) + "<td>" +
            scientific(cut.relative_error);
  return html + "</table>";
}

}  // namespace

std::string to_html(const Report& report, const Flow& flow, const std::string& title) {
  std::string html =
      "<!DOCTYPE html><html lang=en><meta charset=utf-8><meta name=viewport "
      "content='width=device-width'><title>" +
      escaped(title) + "</title><style>" + style + "</style>";
  html += "<h1>" + escaped(title) + "</h1><p class='verdict " + std::string(report.agrees ? "agrees" : "wrong") + "'>" +
          escaped(report.verdict) + "</p><p class=soft>The " + escaped(report.cell) + " cell, " +
          (report.mode == Mode::isolated ? "every formula on true values" : "the derivation on its own values") +
          (report.detectable_factor > 1
               ? ". A factor of 1 + " + scientific(report.detectable_factor - 1) + " in any term would have been seen"
               : std::string()) +
          ".</p>";
  for (const std::string& spot : report.blind_spots) html += "<p class=blind>Blind spot: " + escaped(spot) + ".</p>";
  if (!report.not_given.empty()) {
    html += "<p class=soft>Gradients of the cell that are not given, and not compared:";
    for (const std::string& name : report.not_given)
      html += (&name == &report.not_given[0] ? " " : ", ") + escaped(name);
    html += ".</p>";
  }
  html += "<h2>Terms</h2><table class=terms><tr><th>line<th>formula<th>digits";
  for (const Term& term : report.terms) {
    html += "<tr><td class=soft>" + (term.line ? std::to_string(term.line) : std::string()) + "<td class=formula>" +
            formula_html(term.text.empty() ? term.term : term.text);
    for (const std::string& cause : term.causes) html += "<div class=cause>" + escaped(cause) + "</div>";
    if (!term.agrees && term.causes.empty()) html += "<div class=cause>no known mistake explains it</div>";
    html += "<td style='color:" + colour_of(term.digits) + "'>" + fixed(term.digits);
  }
  html += "</table><h2>Agreement by step, every formula on true values</h2>" + map_html(report, false);
  html += "<h2>Agreement by step, the derivation on its own values</h2>" + map_html(report, true);
  return html + flow_html(flow) + "</html>\n";
}

}  // namespace nn::audit
