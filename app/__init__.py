"""The reference application: real e-mail fetched and read by two queues of jobs."""
