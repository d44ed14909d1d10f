// mutants: makes one small mistake at a time in the gradients of the rules of a source file.
//
//   mutants list <file>        one line for each mutant: its key, what is changed, and the line it is on
//   mutants write <file> <n>   the file with the n-th mutant in it, counted from 0, and without its float
//   instantiations
//
// A mutant lives in the body of a vjp() or backward_into(). Its key, `Tanh::vjp 3`, counts the mutants of one body.
#include <algorithm>
#include <cctype>
#include <fstream>
#include <iostream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace {

struct Token {
  std::size_t at;
  std::string text;
};

struct Mutant {
  std::string key;
  std::size_t at, length;  ///< what is replaced
  std::string by;
};

bool word(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

/// Words, numbers and operators; comments, strings and white space are left out.
std::vector<Token> tokens(const std::string& text, std::size_t begin, std::size_t end) {
  static const std::vector<std::string> longer{
      "->", "++", "--", "+=", "-=", "*=", "/=", "==", "!=", "<=", ">=", "&&", "||", "<<", ">>", "::"};
  std::vector<Token> result;
  for (std::size_t at = begin; at < end;) {
    if (text.compare(at, 2, "//") == 0) {
      at = text.find('\n', at);
    } else if (text[at] == '"') {
      for (++at; text[at] != '"'; ++at)
        if (text[at] == '\\') ++at;
      ++at;
    } else if (std::isspace(static_cast<unsigned char>(text[at]))) {
      ++at;
    } else {
      std::size_t length = 1;
      if (word(text[at])) {
        const bool number = std::isdigit(static_cast<unsigned char>(text[at]));
        while (word(text[at + length]) || (number && text[at + length] == '.')) ++length;
      } else {
        for (const std::string& each : longer)
          if (text.compare(at, each.size(), each) == 0) length = each.size();
      }
      result.push_back({at, text.substr(at, length)});
      at += length;
    }
  }
  return result;
}

/// The token that closes the bracket at `open`.
std::size_t closing(const std::vector<Token>& all, std::size_t open) {
  std::size_t depth = 0;
  for (std::size_t k = open; k < all.size(); ++k) {
    if (all[k].text == "(" || all[k].text == "{" || all[k].text == "[") ++depth;
    if ((all[k].text == ")" || all[k].text == "}" || all[k].text == "]") && --depth == 0) return k;
  }
  return all.size();
}

/// The mistakes that can be made in one body, which is tokens (first, last).
class Body {
 public:
  Body(const std::string& text, const std::vector<Token>& all, std::size_t first, std::size_t last, std::string name)
      : text_(text), all_(all), first_(first), last_(last), name_(std::move(name)) {}

  std::vector<Mutant> mutants() {
    for (std::size_t k = first_ + 1; k < last_; ++k) {
      change_operator(k);
      change_word(k);
      change_call(k);
    }
    return std::move(mutants_);
  }

 private:
  void replace(std::size_t at, std::size_t length, const std::string& by) {
    mutants_.push_back({name_ + " " + std::to_string(mutants_.size()), at, length, by});
  }
  void replace(const Token& token, const std::string& by) { replace(token.at, token.text.size(), by); }
  bool operand_before(std::size_t k) const {
    const std::string& before = all_[k - 1].text;
    return before != "return" && (word(before.back()) || before == ")" || before == "]");
  }
  std::string between(std::size_t from, std::size_t to) const {
    return text_.substr(all_[from].at, all_[to].at + all_[to].text.size() - all_[from].at);
  }

  void change_operator(std::size_t k) {
    static const std::map<std::string, std::string> others{{"+", "-"},   {"/", "*"},   {"+=", "="},  {"-=", "+="},
                                                           {"==", "!="}, {"!=", "=="}, {"&&", "||"}, {"||", "&&"},
                                                           {"!", ""},    {"*=", "/="}};
    const Token& token = all_[k];
    if (token.text == "-") replace(token, operand_before(k) ? "+" : "");
    if (token.text == "*" && operand_before(k) && all_[k + 1].text != "const") replace(token, "+");
    if (const auto other = others.find(token.text); other != others.end()) replace(token, other->second);
  }

  void change_word(std::size_t k) {
    static const std::map<std::string, std::string> others{{"true", "false"},
                                                           {"false", "true"},
                                                           {"a", "b"},
                                                           {"b", "a"},
                                                           {"x", "y"},
                                                           {"y", "x"},
                                                           {"wants", "!wants"},
                                                           {"transpose", ""},
                                                           {"sin", "cos"},
                                                           {"cos", "sin"},
                                                           {"sinh", "cosh"},
                                                           {"cosh", "sinh"},
                                                           {"sum_to", "broadcast_to"},
                                                           {"broadcast_to", "sum_to"}};
    const Token& token = all_[k];
    if (all_[k - 1].text == "auto" || all_[k - 1].text == "&" || all_[k + 1].text == "=") return;  // a declaration
    if (std::isdigit(static_cast<unsigned char>(token.text[0]))) {
      const std::size_t point = token.text.find('.');
      const std::string whole = std::to_string(std::stoull(token.text.substr(0, point)) + 1);
      replace(token, point == std::string::npos ? whole : whole + token.text.substr(point));
    }
    if (token.text == "wants" || token.text == "has_gradient") return;
    if (const auto other = others.find(token.text); other != others.end()) replace(token, other->second);
  }

  void change_call(std::size_t k) {
    const Token& token = all_[k];
    if (!word(token.text[0]) || all_[k + 1].text != "(") return;
    static const std::set<std::string> no_calls{"if", "for", "while", "return"};
    if (no_calls.contains(token.text)) return;
    const std::size_t open = k + 1, close = closing(all_, open);
    std::vector<std::size_t> commas;
    for (std::size_t i = open + 1; i < close; ++i) {
      if (all_[i].text == "(" || all_[i].text == "{" || all_[i].text == "[") i = closing(all_, i);
      if (all_[i].text == ",") commas.push_back(i);
    }
    const bool indexed = token.text == "add" && std::isdigit(static_cast<unsigned char>(all_[open + 1].text[0]));
    if (!commas.empty() && token.text != "equal" && !indexed) {  // the first two arguments exchanged
      const std::size_t end = commas.size() > 1 ? commas[1] : close;
      const std::string left = between(open + 1, commas[0] - 1), right = between(commas[0] + 1, end - 1);
      if (left != right) replace(all_[open + 1].at, between(open + 1, end - 1).size(), right + ", " + left);
    }
    const std::size_t last = commas.empty() ? open : commas.back();
    if (token.text == "gradients" && all_[open + 1].text != "Absent") {  // twice the gradient
      const std::size_t end = commas.empty() ? close : commas[0];
      replace(all_[open + 1].at, between(open + 1, end - 1).size(), "2 * (" + between(open + 1, end - 1) + ")");
      if (!commas.empty() && all_[last + 1].text != "Absent")
        replace(all_[last + 1].at, between(last + 1, close - 1).size(), "2 * (" + between(last + 1, close - 1) + ")");
    }
    if (token.text == "add" && all_[k - 1].text == "." && !commas.empty()) {  // twice, and not at all
      replace(all_[last + 1].at, between(last + 1, close - 1).size(), "2.0 * (" + between(last + 1, close - 1) + ")");
      replace(all_[k - 2].at, between(k - 2, close).size(), "void()");
    }
  }

  const std::string& text_;
  const std::vector<Token>& all_;
  std::size_t first_, last_;
  std::string name_;
  std::vector<Mutant> mutants_;
};

std::vector<Mutant> mutants_of(const std::string& text) {
  const std::vector<Token> all = tokens(text, 0, text.size());
  std::vector<Mutant> result;
  std::string rule;
  for (std::size_t k = 1; k + 1 < all.size(); ++k) {
    if (all[k - 1].text == "struct") rule = all[k].text;
    const std::string& name = all[k].text;
    if ((name != "vjp" && name != "backward_into") || all[k + 1].text != "(") continue;
    const std::string owner = all[k - 1].text == "::" ? all[k - 2].text : rule;
    std::size_t open = closing(all, k + 1) + 1;
    if (open < all.size() && all[open].text == "const") ++open;
    if (open >= all.size() || all[open].text != "{") continue;
    for (Mutant& mutant : Body(text, all, open, closing(all, open), owner + "::" + name).mutants())
      result.push_back(std::move(mutant));
  }
  return result;
}

std::string line_around(const std::string& text, std::size_t at) {
  const std::size_t begin = text.rfind('\n', at) + 1, first = text.find_first_not_of(' ', begin);
  return text.substr(first, text.find('\n', at) - first);
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  std::ifstream file(arguments.size() >= 2 ? arguments[1] : "");
  std::stringstream stream;
  stream << file.rdbuf();
  std::string text = stream.str();
  if (!file || arguments.size() < 2) {
    std::cerr << "usage: mutants list <file> | mutants write <file> <n>\n";
    return 2;
  }
  const std::vector<Mutant> all = mutants_of(text);
  if (arguments[0] == "list") {
    for (const Mutant& mutant : all) {
      std::string line = mutant.key + ": " + text.substr(mutant.at, mutant.length) + " -> " + mutant.by + "  in  " +
                         line_around(text, mutant.at);
      std::replace(line.begin(), line.end(), '\n', ' ');  // what a mutant replaces may be of several lines
      std::cout << line << "\n";
    }
    return 0;
  }
  if (arguments.size() == 3) {
    const Mutant& mutant = all.at(std::stoul(arguments[2]));
    text.replace(mutant.at, mutant.length, mutant.by);
  }
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    if (line != "INSTANTIATE(float)") std::cout << line << "\n";
  return 0;
}
