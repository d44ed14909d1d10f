#include "nn/audit/expression.hpp"

#include <algorithm>
#include <functional>
#include <utility>

#include "autograd/error.hpp"
#include "autograd/number_text.hpp"

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

Formula formula(Expression e) {
  const auto mix = [&](std::size_t value) { e.hash = (e.hash ^ value) * 0x9e3779b97f4a7c15 + (e.hash >> 29); };
  e.depth = e.size = 1;
  e.hash = static_cast<std::size_t>(e.kind);
  mix(std::hash<double>()(e.number));
  mix(std::hash<std::string>()(e.text));
  mix(static_cast<std::size_t>(e.time.base));
  mix(static_cast<std::size_t>(e.time.offset));
  for (const Formula& part : e.parts) {
    e.depth = std::max(e.depth, part->depth + 1);
    e.size += part->size;
    mix(part->hash);
  }
  if (e.depth > deepest_expression)
    throw autograd::ValueError("audit: a formula of more than " + std::to_string(deepest_expression) +
                               " operations within one another; give parts of it names");
  return std::make_shared<const Expression>(std::move(e));
}

Formula number(double value) {
  Expression e{Kind::number};
  e.number = value;
  return formula(std::move(e));
}

Formula name(std::string text, Time time) {
  Expression e{Kind::name};
  e.text = std::move(text);
  e.time = time;
  return formula(std::move(e));
}

Formula operation(Kind kind, std::vector<Formula> parts) { return formula(Expression{kind, std::move(parts)}); }

Formula call(std::string function, Formula argument) {
  Expression e{Kind::call, {std::move(argument)}};
  e.text = std::move(function);
  return formula(std::move(e));
}

Formula at_step(const Formula& e, const Time& step) {
  if (e->kind == Kind::name)
    return e->time.base == Time::Base::t ? name(e->text, {step.base, step.offset + e->time.offset}) : e;
  if (e->parts.empty()) return e;
  std::vector<Formula> parts;
  for (const Formula& part : e->parts) parts.push_back(at_step(part, step));
  return with_parts(e, std::move(parts));
}

Formula with_parts(const Formula& e, std::vector<Formula> parts) {
  Expression other = *e;
  other.parts = std::move(parts);
  return formula(std::move(other));
}

namespace {

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
      result = autograd::shortest_text(e->number);
      break;
    case Kind::name:
      result = e->text + to_string(e->time);
      break;
    case Kind::negate:
      result = "-" + part(0, own);
      break;
    case Kind::power:
      result = part(0, own + 1) + "**" + autograd::shortest_text(e->number);
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

std::string to_string(const Formula& e) { return text(e, 0); }

bool equal(const Formula& a, const Formula& b) {
  if (a == b) return true;
  if (a->hash != b->hash || a->kind != b->kind || a->number != b->number || a->text != b->text ||
      !(a->time == b->time) || a->parts.size() != b->parts.size())
    return false;
  for (std::size_t k = 0; k < a->parts.size(); ++k)
    if (!equal(a->parts[k], b->parts[k])) return false;
  return true;
}

}  // namespace nn::audit
