// The files of a graph: what makes a compiled model stale, and the memory that mapped weights take.
#ifndef CLIP_PLUGIN_FILES_H_
#define CLIP_PLUGIN_FILES_H_

#include <string>
#include <vector>

namespace clip {

// The folder in cache_dir for what is compiled from this graph, made when it is missing. Its name is a hash
// of the given parts (version of the library, processor, precision ...) and of path, size and time of change
// of the graph and of the weight files that it names: libraries themselves look at the graph file at most.
// Returns
// "" when cache_dir is "".
std::string CacheFolder(const std::string& cache_dir, const std::string& graph_path,
                        const std::vector<std::string>& parts);

// True when the weights of the graph lie in files beside it rather than in the graph itself.
bool HasExternalWeights(const std::string& graph_path);

// Gives back the memory of weight files beside the graph that are mapped read-only into this process: a
// library has read them once and repacked them, but while the mapping lives they count as resident. Pages
// that are needed after all (a token table that is used in place) come back from the page cache when they are
// touched.
void ReleaseMappedWeights(const std::string& graph_path);

}  // namespace clip

#endif  // CLIP_PLUGIN_FILES_H_
