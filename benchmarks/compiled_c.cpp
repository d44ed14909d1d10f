#include "compiled_c.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <vector>

#include "nn/graph/c_source.hpp"

#ifdef WENGERT_C_COMPILER
#include <dlfcn.h>
#include <unistd.h>
#endif

namespace benchmark {

std::function<void()> compiled_c_step(const autograd::Graph<float>& graph) {
#ifdef WENGERT_C_COMPILER
  static int count = 0;
  const auto folder = std::filesystem::temp_directory_path() /
                      ("wengert-c-" + std::to_string(getpid()) + "-" + std::to_string(count++));
  std::filesystem::create_directories(folder);
  nn::io::save_c(graph, folder / "model.h");
  std::ofstream(folder / "model.c") << "#include \"model.h\"\nstatic model_state state;\nvoid reset(void) { "
                                       "model_reset(&state); }\nvoid step(const float* x, float* y) { "
                                       "model_step(&state, x, y); }\n";
  const std::string library = (folder / "model.so").string();
  const std::string command = std::string(WENGERT_C_COMPILER) + " -std=c99 -O3 " + WENGERT_C_FLAGS +
                              " -shared -fPIC -o " + library + " " + (folder / "model.c").string() + " -lm";
  void* const handle = std::system(command.c_str()) == 0 ? dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL) : nullptr;
  std::filesystem::remove_all(folder);
  if (!handle) return {};
  reinterpret_cast<void (*)()>(dlsym(handle, "reset"))();
  const auto step = reinterpret_cast<void (*)(const float*, float*)>(dlsym(handle, "step"));
  return [step, x = std::vector<float>(graph.input_size(), 0.5f),
          y = std::vector<float>(graph.output_size())]() mutable { step(x.data(), y.data()); };
#else
  (void)graph;
  return {};
#endif
}

}  // namespace benchmark
