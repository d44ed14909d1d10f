#include "nn/audit/expression.hpp"

#include <array>
#include <charconv>
#include <utility>

namespace nn::audit {

using Kind = Expression::Kind;

std::string to_string(const Time& time) {
  const auto signed_text = [&] {
    return time.offset == 0 ? std::string() : (time.offset > 0 ? "+" : "") + std::to_string(time.offset);
  };
  switch (time.base) {
    case Time::Base::none:
      return "";
    case Time::Base::t:
      return "[t" + signed_text() + "]";
    case Time::Base::last:
      return "[T" + signed_text() + "]";
    case Time::Base::fixed:
      return "[" + std::to_string(time.offset) + "]";
  }
  return "";
}

Formula number(double value) {
  Expression e{Kind::number};
  e.number = value;
  return std::make_shared<const Expression>(std::move(e));
}

Formula name(std::string text, Time time) {
  Expression e{Kind::name};
  e.text = std::move(text);
  e.time = time;
  return std::make_shared<const Expression>(std::move(e));
}

Formula operation(Kind kind, std::vector<Formula> parts) {
  return std::make_shared<const Expression>(Expression{kind, std::move(parts)});
}

Formula call(std::string function, Formula argument) {
  Expression e{Kind::call, {std::move(argument)}};
  e.text = std::move(function);
  return std::make_shared<const Expression>(std::move(e));
}

Formula at_step(const Formula& formula, const Time& step) {
  if (formula->kind == Kind::name)
    return formula->time.base == Time::Base::t ? name(formula->text, {step.base, step.offset + formula->time.offset})
                                               : formula;
  if (formula->parts.empty()) return formula;
  std::vector<Formula> parts;
  for (const Formula& part : formula->parts) parts.push_back(at_step(part, step));
  return with_parts(formula, std::move(parts));
}

Formula with_parts(const Formula& formula, std::vector<Formula> parts) {
  Expression e = *formula;
  e.parts = std::move(parts);
  return std::make_shared<const Expression>(std::move(e));
}

namespace {

std::string number_text(double value) {
  std::array<char, 32> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  return std::string(text.data(), end);
}

int precedence(Kind kind) {
  switch (kind) {
    case Kind::add:
    case Kind::subtract:
      return 1;
    case Kind::multiply:
    case Kind::divide:
    case Kind::product:
      return 2;
    case Kind::negate:
      return 3;
    case Kind::power:
      return 4;
    default:
      return 5;
  }
}

const char* symbol(Kind kind) {
  switch (kind) {
    case Kind::add:
      return " + ";
    case Kind::subtract:
      return " - ";
    case Kind::multiply:
      return " * ";
    case Kind::divide:
      return " / ";
    default:
      return " @ ";
  }
}

std::string text(const Formula& e, int least) {
  const auto part = [&](std::size_t k, int lowest) { return text(e->parts[k], lowest); };
  const int own = precedence(e->kind);
  std::string result;
  switch (e->kind) {
    case Kind::number:
      result = number_text(e->number);
      break;
    case Kind::name:
      result = e->text + to_string(e->time);
      break;
    case Kind::negate:
      result = "-" + part(0, own);
      break;
    case Kind::power:
      result = part(0, own + 1) + "**" + number_text(e->number);
      break;
    case Kind::transpose:
      result = part(0, 5) + ".T";
      break;
    case Kind::call:
      result = e->text + "(" + part(0, 0) + ")";
      break;
    case Kind::list:
      for (std::size_t k = 0; k < e->parts.size(); ++k) result += (k ? ", " : "") + part(k, 0);
      result = "[" + result + "]";
      break;
    default:
      result = part(0, own) + symbol(e->kind) + part(1, own + 1);
  }
  return own < least ? "(" + result + ")" : result;
}

}  // namespace

std::string to_string(const Formula& formula) { return text(formula, 0); }

bool equal(const Formula& a, const Formula& b) {
  if (a->kind != b->kind || a->number != b->number || a->text != b->text || !(a->time == b->time) ||
      a->parts.size() != b->parts.size())
    return false;
  for (std::size_t k = 0; k < a->parts.size(); ++k)
    if (!equal(a->parts[k], b->parts[k])) return false;
  return true;
}

}  // namespace nn::audit
