// What `top -H` and a debugger call a thread.
#pragma once

#include <pthread.h>

#include <string>

namespace hbagent {

// Of the calling thread; Linux shows the first 15 bytes. [any thread]
inline void name_this_thread(const std::string& name) {
  pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
}

}  // namespace hbagent
