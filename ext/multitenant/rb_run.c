/* SPDX-License-Identifier: MIT */
/* MultiTenant::Native.run: a program with a deadline, without the GVL. */
#include "binding.h"
#include "child.h"
#include "mt_limits.h"

#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

struct running {
    VALUE argv;
    VALUE env;
    const char *const *c_argv;
    const char *const *c_envp;
    struct mt_child_terms terms;
    int wake_fd;
    struct mt_child child;
    enum mt_status status;
};

/* What is started may be on a file system that hangs, and this with it. */
static void *start_child(void *arg)
{
    struct running *r = arg;
    r->status = mt_child_start(&r->child, (char **)r->c_argv, (char **)r->c_envp, &r->terms);
    return NULL;
}

static void *wait_for_child(void *arg)
{
    struct running *r = arg;
    r->status = mt_child_wait(&r->child, r->wake_fd);
    return NULL;
}

/* Ruby calls this for every interrupt, an exception from another thread or a signal: within the
 * signal's handler, or it would start a thread of its own for each program. */
static void wake(void *arg)
{
    uint64_t one = 1;
    ssize_t ignored = write(((const struct running *)arg)->wake_fd, &one, sizeof one);
    (void)ignored;
}

static VALUE run_body(VALUE arg)
{
    struct running *r = (struct running *)arg;
    const struct mt_child *child = &r->child;
    r->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (r->wake_fd < 0)
        rb_sys_fail("eventfd");
    (void)take_texts(&r->c_argv, r->argv);
    (void)take_texts(&r->c_envp, r->env);
    rb_thread_call_without_gvl(start_child, r, NULL, NULL);
    if (r->status == MT_OK)
        r->status = MT_CANCELLED;
    while (r->status == MT_CANCELLED) {
        uint64_t woken;
        ssize_t ignored = read(r->wake_fd, &woken, sizeof woken);
        (void)ignored;
        rb_thread_check_ints();
        rb_nogvl(wait_for_child, r, wake, r, RB_NOGVL_UBF_ASYNC_SAFE);
    }
    bool ended = r->status == MT_OK;
    bool exited = ended && WIFEXITED(child->wait_status);
    bool signalled = ended && WIFSIGNALED(child->wait_status);
    const VALUE pairs[] = {
        symbol("status"),  symbol(mt_status_name(r->status)),
        symbol("exit"),    exited ? INT2NUM(WEXITSTATUS(child->wait_status)) : Qnil,
        symbol("signal"),  signalled ? INT2NUM(WTERMSIG(child->wait_status)) : Qnil,
        symbol("error"),   ended ? Qnil : rb_str_new_cstr(strerror(child->error)),
        symbol("seconds"), DBL2NUM((double)mt_child_age_ns(child) / 1e9),
        symbol("out"),     rb_str_new(child->out.data, (long)child->out.len),
        symbol("err"),     rb_str_new(child->err.data, (long)child->err.len),
    };
    return HASH_OF(pairs);
}

static VALUE run_done(VALUE arg)
{
    struct running *r = (struct running *)arg;
    mt_child_end(&r->child);
    free_texts(r->c_argv);
    free_texts(r->c_envp);
    if (r->wake_fd >= 0)
        (void)close(r->wake_fd);
    return Qnil;
}

/*
 * Runs a program with a deadline; the GVL is free meanwhile, and an interrupt ends it.
 * @param argv [Array<String>] the first is its path
 * @param env [Array<String>] NAME=value
 * @param seconds [Float] the deadline; then it is killed
 * @param input [String, nil] its standard input; nil: none
 * @return [Hash] :status (:ok, :spawn, :timeout, :too_large, :io, :no_memory), :exit, :signal,
 *   :error, :seconds, :out, :err
 */
static VALUE native_run(int argc, VALUE *args, VALUE self)
{
    VALUE argv = Qnil;
    VALUE env = Qnil;
    VALUE seconds = Qnil;
    VALUE input = Qnil;
    (void)self;
    rb_scan_args(argc, args, "31", &argv, &env, &seconds, &input);
    double wait = NUM2DBL(seconds);
    struct running r = {.argv = argv, .env = env, .wake_fd = -1};
    Check_Type(argv, T_ARRAY);
    r.terms.out_limit = MT_RECORDS_MAX;
    if (!NIL_P(input)) {
        input = rb_str_new_frozen(rb_String(input));
        r.terms.input = RSTRING_PTR(input);
        r.terms.input_len = (size_t)RSTRING_LEN(input);
    }
    if (RARRAY_LEN(r.argv) == 0 || !(wait >= 0 && wait <= 86400))
        rb_raise(rb_eArgError, "a program and 0 to 86400 seconds are needed");
    r.terms.deadline_ms = (int64_t)(wait * 1000);
    VALUE out = rb_ensure(run_body, (VALUE)&r, run_done, (VALUE)&r);
    RB_GC_GUARD(input);
    return out;
}

void init_run(VALUE native)
{
    rb_define_module_function(native, "run", native_run, -1);
}
