// Tells the host while a write waits for a server that does not answer, long before the wait is given up: a frozen
// server keeps its connections open, and only time tells.
#pragma once

#include <hbagent/sdk.hpp>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

namespace postgres {

// Shared by the threads that wait for one server. Thread-safe.
class Silence {
 public:
  using Clock = std::chrono::steady_clock;

  // `server` begins the message; `timeout` is when a wait is given up.
  Silence(hb::Host host, std::string server, std::chrono::milliseconds timeout);
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;

  // How long a wait lasts before the host is told: 5 s, or a quarter of the timeout where that is less.
  std::chrono::milliseconds notice() const { return notice_; }

  // A write, while it lives. Silence between writes holds nothing up, and is not told.
  class Write {
   public:
    explicit Write(Silence& silence) : silence_(silence) { silence_.begin_write(); }
    ~Write() { silence_.end_write(done_); }
    Write(const Write&) = delete;
    Write& operator=(const Write&) = delete;
    // It succeeded. Otherwise the host learns from the write's error how things are.
    void done() { done_ = true; }

   private:
    Silence& silence_;
    bool done_ = false;
  };

  // One wait for the server, on one thread. One that ends without heard() was given up.
  class Wait {
   public:
    // Without a `silence` nobody is told.
    explicit Wait(Silence* silence, Clock::time_point now = Clock::now()) : silence_(silence), since_(now) {}
    ~Wait() {
      if (noticed_) silence_->end_wait(false);
    }
    Wait(const Wait&) = delete;
    Wait& operator=(const Wait&) = delete;
    // To be called every now and then while nothing comes.
    void still_waiting(Clock::time_point now = Clock::now());
    // The server has answered; the wait begins anew.
    void heard(Clock::time_point now = Clock::now());

   private:
    Silence* silence_;
    Clock::time_point since_;
    bool noticed_ = false;
  };

  // A wait inside of a library that does not come back until there is an answer: a thread of its own looks at the
  // clock.
  class Watch {
   public:
    explicit Watch(Silence* silence);
    void heard();

   private:
    void run(const std::stop_token& stop);

    std::mutex mutex_;  // guards wait_
    std::condition_variable_any wake_;
    Wait wait_;
    std::jthread thread_;  // last: it ends before what it uses
  };

 private:
  void begin_write();
  void end_write(bool done);
  // False: no write waits, so it is of no interest.
  bool begin_wait();
  void end_wait(bool answered);

  hb::Host host_;
  const std::string server_;
  const std::chrono::milliseconds notice_;
  std::mutex mutex_;  // guards all below, and keeps what is told in order
  bool writing_ = false;
  bool told_ = false;  // that it is down
  bool lost_ = false;  // a wait of this write was given up: its error follows
  int silent_ = 0;     // waits of which the host was told
};

}  // namespace postgres
