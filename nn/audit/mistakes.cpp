#include "nn/audit/mistakes.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>
#include <unordered_set>
#include <utility>

namespace nn::audit {

using Kind = Expression::Kind;

namespace {

struct Addend {
  bool negative;
  Formula formula;
};

/// a + b - c as its terms.
std::vector<Addend> terms_of(const Formula& e, bool negative = false) {
  if (e->kind == Kind::negate) return terms_of(e->parts[0], !negative);
  if (e->kind != Kind::add && e->kind != Kind::subtract) return {{negative, e}};
  std::vector<Addend> result = terms_of(e->parts[0], negative);
  for (Addend& term : terms_of(e->parts[1], negative != (e->kind == Kind::subtract))) result.push_back(std::move(term));
  return result;
}

Formula sum_of(const std::vector<Addend>& terms) {
  if (terms.empty()) return number(0);
  Formula result = terms[0].negative ? operation(Kind::negate, {terms[0].formula}) : terms[0].formula;
  for (std::size_t k = 1; k < terms.size(); ++k)
    result = operation(terms[k].negative ? Kind::subtract : Kind::add, {result, terms[k].formula});
  return result;
}

/// a * b * c as its factors; a matrix product is one.
std::vector<Formula> factors_of(const Formula& e) {
  if (e->kind != Kind::multiply) return {e};
  std::vector<Formula> result = factors_of(e->parts[0]);
  for (Formula& factor : factors_of(e->parts[1])) result.push_back(std::move(factor));
  return result;
}

Formula product_of(const std::vector<Formula>& factors) {
  Formula result = factors[0];
  for (std::size_t k = 1; k < factors.size(); ++k) result = operation(Kind::multiply, {result, factors[k]});
  return result;
}

/// The formula with f of every name.
Formula renamed(const Formula& e, const std::function<Formula(const Formula&)>& f) {
  if (e->kind == Kind::name) return f(e);
  if (e->parts.empty()) return e;
  std::vector<Formula> parts;
  for (const Formula& part : e->parts) parts.push_back(renamed(part, f));
  return with_parts(e, std::move(parts));
}

bool has_number(const std::vector<Addend>& terms) {
  return std::any_of(terms.begin(), terms.end(), [](const Addend& t) { return t.formula->kind == Kind::number; });
}

/// x of (1 - x), null of anything else.
Formula complement(const Formula& e) {
  const bool fits = e->kind == Kind::subtract && e->parts[0]->kind == Kind::number && e->parts[0]->number == 1;
  return fits ? e->parts[1] : nullptr;
}

Formula squared(const Formula& e) {
  Expression power{Kind::power, {e}};
  power.number = 2;
  return formula(std::move(power));
}

Formula one_minus(const Formula& e) { return operation(Kind::subtract, {number(1), e}); }

/// Where a part of a formula is: part k of e, and where e is.
struct Place {
  const Place* above;
  const Formula& e;
  std::size_t k;
};

/// The whole formula with another in that place; null is the place of the whole.
Formula rebuilt(const Place* place, Formula changed) {
  for (; place; place = place->above) {
    std::vector<Formula> parts = place->e->parts;
    parts[place->k] = std::move(changed);
    changed = with_parts(place->e, std::move(parts));
  }
  return changed;
}

/// No more mistakes are asked for.
struct Enough {};

/// Walks through a formula and makes what could be wrong at each place.
class Maker {
 public:
  Maker(const Equation& equation, const Vocabulary& vocabulary, bool wide, const Visit& visit)
      : equation_(equation), vocabulary_(vocabulary), wide_(wide), visit_(visit) {}

  void run() {
    const Formula& whole = equation_.formula;
    sums(whole, nullptr, true);
    scales(whole);
    inside(whole, nullptr, true);
  }

 private:
  void add(std::string text, const Place* place, const Formula& changed) {
    Formula formula = rebuilt(place, changed);
    if (equal(formula, equation_.formula) || !made_.insert(formula->hash).second) return;
    if (!visit_({std::move(text), std::move(formula)})) throw Enough();
  }

  /// The whole is too large or too small.
  void scales(const Formula& whole) {
    const auto scaled = [&](const char* text, double by) {
      add(text, nullptr, operation(Kind::multiply, {number(by), whole}));
    };
    scaled("its sign is wrong", -1);
    scaled("it is twice what it should be", 2);
    scaled("it is half of what it should be", 0.5);
    const double steps = vocabulary_.values.steps;
    double batch = 1;
    if (const Quantity* const x = vocabulary_.values.find("x")) batch = static_cast<double>(x->at[0].rows);
    if (batch > 1) scaled("it is a mean over the batch, not a sum", 1 / batch);
    if (steps > 1) scaled("it is a mean over time, not a sum", 1 / steps);
    if (steps > 1 && batch > 1) scaled("it is a mean over time and batch, not a sum", 1 / (steps * batch));
  }

  /// Terms of a sum.
  void sums(const Formula& e, const Place* place, bool outermost) {
    const std::vector<Addend> terms = terms_of(e);
    if (terms.size() < 2 || has_number(terms)) return;
    const char* const where = outermost ? "it lacks the term " : "a sum in it lacks the term ";
    for (std::size_t k = 0; k < terms.size(); ++k) {
      std::vector<Addend> others = terms;
      others.erase(others.begin() + static_cast<std::ptrdiff_t>(k));
      add(where + to_string(terms[k].formula), place, sum_of(others));
    }
    for (std::size_t k = 0; k < terms.size(); ++k) {
      std::vector<Addend> others = terms;
      others[k].negative = !others[k].negative;
      add("the sign of the term " + to_string(terms[k].formula) + " is wrong", place, sum_of(others));
    }
    for (std::size_t k = 0; k < terms.size(); ++k) {
      std::vector<Addend> others = terms;
      others.push_back(terms[k]);
      add("the term " + to_string(terms[k].formula) + " is counted twice", place, sum_of(others));
    }
  }

  void inside(const Formula& e, const Place* place, bool outermost_sum) {
    switch (e->kind) {
      case Kind::multiply:
        factors(e, place);
        break;
      case Kind::name:
        names(e, place);
        break;
      case Kind::product:
        products(e, place);
        break;
      case Kind::call:
        calls(e, place);
        break;
      case Kind::subtract:
        slopes({e}, place);
        break;
      default:
        break;
    }
    const bool sum = e->kind == Kind::add || e->kind == Kind::subtract || e->kind == Kind::negate;
    for (std::size_t k = 0; k < e->parts.size(); ++k) {
      const Place here{place, e, k};
      if (e->kind == Kind::multiply && e->parts[k]->kind == Kind::multiply) {
        parts_of_product(e->parts[k], &here);
        continue;
      }
      if (!sum) sums(e->parts[k], &here, outermost_sum && e->kind == Kind::call);
      inside(e->parts[k], &here, outermost_sum && (sum || e->kind == Kind::call));
    }
  }

  /// The parts of a product whose factors have been seen.
  void parts_of_product(const Formula& e, const Place* place) {
    for (std::size_t k = 0; k < e->parts.size(); ++k) {
      const Place here{place, e, k};
      if (e->parts[k]->kind == Kind::multiply) {
        parts_of_product(e->parts[k], &here);
      } else {
        sums(e->parts[k], &here, false);
        inside(e->parts[k], &here, false);
      }
    }
  }

  void factors(const Formula& e, const Place* place) {
    const std::vector<Formula> all = factors_of(e);
    for (std::size_t k = 0; k < all.size(); ++k) {
      std::vector<Formula> others = all;
      others.erase(others.begin() + static_cast<std::ptrdiff_t>(k));
      add("the factor " + text_of_factor(all[k]) + " is missing", place, product_of(others));
    }
    for (std::size_t k = 0; k + 1 < all.size(); ++k)
      for (std::size_t j = k + 1; j < all.size(); ++j)
        if (const Formula x = complement(all[j]); x && equal(x, all[k])) {
          std::vector<Formula> others = all;
          others.erase(others.begin() + static_cast<std::ptrdiff_t>(j));
          std::vector<Formula> none = others;
          none.erase(none.begin() + static_cast<std::ptrdiff_t>(k));
          if (!none.empty())
            add("sigmoid' = " + to_string(all[k]) + " * (1 - " + to_string(all[k]) + ") is missing", place,
                product_of(none));
        }
    slopes(all, place);
    for (std::size_t k = 0; k < all.size(); ++k) {
      std::vector<Formula> others = all;
      others.push_back(all[k]);
      add("the factor " + text_of_factor(all[k]) + " is there twice", place, product_of(others));
    }
  }

  static std::string text_of_factor(const Formula& e) {
    return terms_of(e).size() > 1 ? "(" + to_string(e) + ")" : to_string(e);
  }

  /// The pre-activation of a value, null where there is none: zi of i.
  Formula pre_activation(const Formula& value) const {
    if (value->kind != Kind::name || !vocabulary_.values.find("z" + value->text)) return nullptr;
    return name("z" + value->text, value->time);
  }

  /// a (1 - a), the slope of the sigmoid, and 1 - a², that of tanh.
  void slopes(const std::vector<Formula>& all, const Place* place) {
    for (std::size_t k = 0; k < all.size(); ++k) {
      const Formula x = complement(all[k]);
      if (!x) continue;
      const auto with = [&](std::vector<Formula> factors, std::size_t at, Formula other) {
        factors[at] = std::move(other);
        return product_of(factors);
      };
      if (x->kind == Kind::power && x->number == 2) {
        const Formula& a = x->parts[0];
        add("sigmoid' stands where tanh' = 1 - " + to_string(x) + " belongs", place,
            with(all, k, operation(Kind::multiply, {a, one_minus(a)})));
        if (const Formula z = pre_activation(a))
          add("tanh' is taken of " + to_string(z) + ", as if that were its value " + to_string(a), place,
              with(all, k, one_minus(squared(z))));
        add("1 - " + to_string(a) + " stands where tanh' = 1 - " + to_string(x) + " belongs", place,
            with(all, k, one_minus(a)));
        if (a->kind == Kind::call && a->text == "tanh")
          add("tanh' is taken of " + to_string(a->parts[0]) + ", as if that were its value " + to_string(a), place,
              with(all, k, one_minus(squared(a->parts[0]))));
        continue;
      }
      for (std::size_t j = 0; j < all.size(); ++j) {
        if (j == k || !equal(all[j], x)) continue;
        std::vector<Formula> others = with_both(all, k, j, one_minus(squared(x)));
        add("tanh' stands where sigmoid' = " + to_string(x) + " * (1 - " + to_string(x) + ") belongs", place,
            product_of(others));
        if (const Formula z = pre_activation(x))
          add("sigmoid' is taken of " + to_string(z) + ", as if that were its value " + to_string(x), place,
              product_of(with_both(all, k, j, operation(Kind::multiply, {z, one_minus(z)}))));
      }
    }
  }

  static std::vector<Formula> with_both(std::vector<Formula> all, std::size_t k, std::size_t j, Formula other) {
    all[k] = std::move(other);
    all.erase(all.begin() + static_cast<std::ptrdiff_t>(j));
    return all;
  }

  /// What a derivative is where one of its own terms has been forgotten, or one of those that it takes in turn.
  std::vector<std::pair<std::string, Formula>> lacking(const Formula& e, int levels) const {
    std::vector<std::pair<std::string, Formula>> result;
    if (!vocabulary_.right || e->time.base == Time::Base::none || levels == 0) return result;
    for (const Equation& right : vocabulary_.right->equations) {
      if (right.name != e->text || right.name == equation_.name || !(right.time == Time{Time::Base::t, 0})) continue;
      const Formula formula = at_step(right.formula, e->time);
      const std::vector<Addend> terms = terms_of(formula);
      if (terms.size() > 1 && !has_number(terms)) {
        for (std::size_t k = 0; k < terms.size(); ++k) {
          std::vector<Addend> others = terms;
          others.erase(others.begin() + static_cast<std::ptrdiff_t>(k));
          result.emplace_back(to_string(e) + " lacks the term " + to_string(terms[k].formula), sum_of(others));
        }
        continue;
      }
      std::set<std::string> seen;
      renamed(formula, [&](const Formula& inner) {
        if (seen.insert(to_string(inner)).second)
          for (const auto& [text, other] : lacking(inner, levels - 1))
            result.emplace_back(
                text, renamed(formula, [&, other = other](const Formula& n) { return equal(n, inner) ? other : n; }));
        return inner;
      });
    }
    return result;
  }

  bool same_kind(const std::string& a, const std::string& b) const {
    const Quantity *const x = vocabulary_.values.find(a), *const y = vocabulary_.values.find(b);
    return x && y && x->steps == y->steps && x->at.back().same_shape(y->at.back());
  }

  void names(const Formula& e, const Place* place) {
    const std::string& text = e->text;
    const auto stands = [&](const Formula& other) {
      return to_string(other) + " stands where " + to_string(e) + " belongs";
    };
    for (const auto& [text_of_lack, other] : lacking(e, 2)) add(text_of_lack + " here", place, other);
    // Another gate: the letter of a gate in the place of this one's.
    const std::size_t letter = text.empty() ? std::string::npos : text.find_last_of(vocabulary_.gates);
    if (letter != std::string::npos && letter + 1 == text.size())
      for (const char gate : vocabulary_.gates) {
        std::string other = text;
        other.back() = gate;
        if (gate != text.back() && same_kind(text, other))
          add(stands(name(other, e->time)), place, name(other, e->time));
      }
    if (e->time.base == Time::Base::t)
      for (const int by : {1, -1}) {
        const int offset = e->time.offset + by;
        const Quantity* const known = vocabulary_.values.find(text);
        if (offset < -1 || offset > 1 || (known && offset < 0 && known->first > 0)) continue;
        add(stands(name(text, {Time::Base::t, offset})), place, name(text, {Time::Base::t, offset}));
      }
    // The derivative that is near in name: of the cell for the candidate, of a value for its pre-activation.
    if (text.size() > 1 && text[0] == 'd')
      for (const std::string& other : {std::string("dc"), std::string("dg"), "d" + text.substr(2),
                                       "dz" + text.substr(1), std::string("direct_h"), std::string("dh")})
        if (other != text && other.size() > 1 && same_kind(text, other) && (text == "dh" || other != "direct_h"))
          add(stands(name(other, e->time)), place, name(other, e->time));
    if (!wide_) return;
    for (const auto& [other, quantity] : vocabulary_.values.named) {
      if (other == text || !same_kind(text, other)) continue;
      for (const int by : {0, -1, 1}) {
        Time time = e->time;
        if (quantity.steps) {
          if (time.base != Time::Base::t && by != 0) continue;
          if (time.base == Time::Base::t) time.offset = by;
          if (time.offset < 0 && quantity.first > 0) continue;
        } else if (by != 0) {
          continue;
        }
        add(stands(name(other, time)), place, name(other, time));
      }
    }
  }

  void products(const Formula& e, const Place* place) {
    for (std::size_t k = 0; k < 2; ++k) {
      const Formula& part = e->parts[k];
      const Place here{place, e, k};
      if (part->kind == Kind::name) {
        const Quantity* const known = vocabulary_.values.find(part->text);
        if (known && !known->steps && known->whole().rows == known->whole().columns && known->whole().rows > 1)
          add(to_string(part) + " should not be transposed", &here, operation(Kind::transpose, {part}));
      } else if (part->kind == Kind::transpose && part->parts[0]->kind == Kind::name &&
                 part->parts[0]->time.base == Time::Base::none) {
        add(to_string(part->parts[0]) + " should be transposed", &here, part->parts[0]);
      }
    }
    // The outer product the other way round.
    if (e->parts[0]->kind == Kind::transpose)
      add("it is transposed", place,
          operation(Kind::product, {operation(Kind::transpose, {e->parts[1]}), e->parts[0]->parts[0]}));
  }

  void calls(const Formula& e, const Place* place) {
    const Formula& argument = e->parts[0];
    if (e->text == "sum_t") {
      add("the sum over t is missing: it has the last step alone", place, at_step(argument, {Time::Base::last, 0}));
      add("the sum over t is missing: it has the first step alone", place, at_step(argument, {Time::Base::fixed, 1}));
    }
    if (e->text == "sum_batch") add("the sum over the batch is missing", place, argument);
    if (e->text == "tanh" || e->text == "sigmoid")
      add(to_string(argument) + " stands where " + to_string(e) + " belongs", place, argument);
  }

  const Equation& equation_;
  const Vocabulary& vocabulary_;
  bool wide_;
  const Visit& visit_;
  std::unordered_set<std::size_t> made_;  ///< the hashes of their formulas
};

}  // namespace

void each_mistake(const Equation& equation, const Vocabulary& vocabulary, bool wide, const Visit& visit) {
  if (!equation.formula) return;
  try {
    Maker(equation, vocabulary, wide, visit).run();
  } catch (const Enough&) {
  }
}

std::vector<Mistake> mistakes(const Equation& equation, const Vocabulary& vocabulary, bool wide) {
  std::vector<Mistake> result;
  each_mistake(equation, vocabulary, wide, [&](Mistake mistake) {
    result.push_back(std::move(mistake));
    return true;
  });
  return result;
}

}  // namespace nn::audit
