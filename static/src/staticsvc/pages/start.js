look();
whoIsThere();
listen();
enter();
